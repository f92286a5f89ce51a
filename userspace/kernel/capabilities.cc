// SPDX-License-Identifier: Apache-2.0
#include "kernel/capabilities.h"

#include <algorithm>

#include "kernel/privileges.h"
#include "kernel/tiers/probes.h"

namespace madvtrace {

std::vector<Finding> probe_capabilities() {
  const Status privileges = check_privileges();
  std::vector<Finding> findings{{.tier = "base",
                                 .what = "privileges",
                                 .answer = privileges ? Answer::kYes : Answer::kNo,
                                 .detail = privileges ? "" : privileges.error().message}};
  if (!privileges) return findings;
  const Result<DirectMap> direct_map = find_direct_map();
  for (const auto probe : {probe_base_tier, probe_refaults_tier, probe_exact_tier}) {
    for (Finding& finding : probe(direct_map)) findings.push_back(std::move(finding));
    if (!tier_works(findings, "base")) break;
  }
  return findings;
}

bool tier_works(const std::vector<Finding>& findings, const std::string& tier) {
  const auto of_tier = [&](const Finding& finding) { return finding.tier == tier; };
  const bool probed = std::any_of(findings.begin(), findings.end(), of_tier);
  return probed && std::all_of(findings.begin(), findings.end(), [&](const Finding& finding) {
           const bool needed = (of_tier(finding) || finding.tier == "base") && !finding.optional;
           return !needed || finding.answer == Answer::kYes;
         });
}

}  // namespace madvtrace
