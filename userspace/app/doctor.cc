// SPDX-License-Identifier: Apache-2.0
#include "app/doctor.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/version.h"
#include "kernel/capabilities.h"

namespace madvtrace {
namespace {

const char* name(Answer answer) {
  switch (answer) {
    case Answer::kYes:
      return "yes";
    case Answer::kNo:
      return "no";
    case Answer::kInconclusive:
      return "inconclusive";
  }
  return "";
}

std::string kernel_name() {
  utsname kernel{};
  ::uname(&kernel);
  return std::string(kernel.release) + " " + kernel.machine;
}

// The page walk has a substitute, and the rest can do without stacks, marks and what
// tells of reclaim.
bool base_tier_works(const std::vector<Finding>& findings) {
  return std::all_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.tier != "base" || finding.answer == Answer::kYes || finding.what == "page walk" ||
           finding.what == "user stacks" || finding.what == "gc marks (uprobe)" || finding.what.starts_with("vmscan:");
  });
}

bool refaults_tier_works(const std::vector<Finding>& findings) {
  return base_tier_works(findings) && std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
           return finding.tier == "refaults" && finding.answer == Answer::kYes;
         });
}

std::string as_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json json;
  json["version"] = version_text();
  json["kernel"] = kernel_name();
  json["tiers"]["base"] = base_tier_works(findings);
  json["tiers"]["refaults"] = refaults_tier_works(findings);
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    json["findings"].push_back(
        {{"tier", finding.tier}, {"what", finding.what}, {"answer", name(finding.answer)}, {"detail", finding.detail}});
  }
  constexpr int kIndent = 2;
  return json.dump(kIndent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string as_text(const std::vector<Finding>& findings) {
  std::string text = fmt::format("madvtrace {} on {}\n\n", version_text(), kernel_name());
  const auto to = std::back_inserter(text);
  for (const Finding& finding : findings) {
    fmt::format_to(to, "  {:<38} {:<13} {}", finding.what, name(finding.answer), finding.detail);
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  const bool works = base_tier_works(findings);
  fmt::format_to(to, "\nTier base: {}\n", works ? "yes" : "no, see above");
  fmt::format_to(to, "Tier refaults: {}\n", refaults_tier_works(findings) ? "yes" : "no, see above");
  return text;
}

}  // namespace

Result<ExitCode> doctor(const Options& options) {
  const std::vector<Finding> findings = probe_capabilities();
  std::fputs((options.doctor_json ? as_json(findings) : as_text(findings)).c_str(), stdout);
  return base_tier_works(findings) ? ExitCode::kClean : ExitCode::kUnsupported;
}

}  // namespace madvtrace
