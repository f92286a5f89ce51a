// SPDX-License-Identifier: Apache-2.0
#include "app/doctor.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/version.h"
#include "kernel/capabilities.h"

namespace madvtrace {
namespace {

std::string kernel_name() {
  utsname kernel{};
  ::uname(&kernel);
  return std::string(kernel.release) + " " + kernel.machine;
}

struct Tier {
  const char* name;
  const char* option;
  const char* cost;
};

constexpr std::array<Tier, 3> kTiers{
    {{"base", "", "costs nothing per page fault"},
     {"refaults", " (--refaults)", "page faults of the traced processes take about 15% longer"},
     {"exact", " (--exact)", "page faults take about 20% longer in the traced processes, 8% in all others"}}};

std::string as_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json json;
  json["version"] = version_text();
  json["kernel"] = kernel_name();
  for (const Tier& tier : kTiers) json["tiers"][tier.name] = tier_works(findings, tier.name);
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    json["findings"].push_back({{"tier", finding.tier},
                                {"what", finding.what},
                                {"answer", kAnswerNames[finding.answer]},
                                {"detail", finding.detail}});
  }
  constexpr int kIndent = 2;
  return json.dump(kIndent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string as_text(const std::vector<Finding>& findings) {
  std::string text = fmt::format("madvtrace {} on {}\n\n", version_text(), kernel_name());
  const auto to = std::back_inserter(text);
  for (const Tier& tier : kTiers) {
    const bool works = tier_works(findings, tier.name);
    fmt::format_to(to, "Tier {}{}: {}\n  {}\n", tier.name, tier.option, works ? "yes" : "no", tier.cost);
    for (const Finding& finding : findings) {
      if (finding.tier != tier.name) continue;
      fmt::format_to(to, "  {:<38} {:<13} {}", finding.what, kAnswerNames[finding.answer], finding.detail);
      text.erase(text.find_last_not_of(' ') + 1);
      text += '\n';
    }
    text += '\n';
  }
  text += "\"inconclusive\" is attached and was not hit: nothing that we could do harmlessly does.\n";
  return text;
}

}  // namespace

Result<ExitCode> doctor(const Options& options) {
  const std::vector<Finding> findings = probe_capabilities();
  std::fputs((options.doctor_json ? as_json(findings) : as_text(findings)).c_str(), stdout);
  return tier_works(findings, "base") ? ExitCode::kClean : ExitCode::kUnsupported;
}

}  // namespace madvtrace
