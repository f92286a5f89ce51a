// SPDX-License-Identifier: Apache-2.0
// What the kernel really does, not what its version promises: every hook is loaded,
// attached and hit once by something that we do ourselves, and the page walk is compared
// with pages that we know. What cannot be provoked (that the machine reclaims, that
// somebody moves a process between cgroups) is attached, and counts as inconclusive.
#pragma once

#include <string>
#include <vector>

#include "base/enum_names.h"

namespace madvtrace {

enum class Answer { kYes, kNo, kInconclusive };

inline constexpr auto kAnswerNames = names_of<Answer::kInconclusive>({
    {Answer::kYes, "yes"},
    {Answer::kNo, "no"},
    {Answer::kInconclusive, "inconclusive"},
});

struct Finding {
  std::string tier;  // "base", "refaults", "exact"
  std::string what;  // a hook as perf names it, or "page walk"
  Answer answer = Answer::kInconclusive;
  std::string detail;     // why not, or a remark; one line
  bool optional = false;  // the tier works without it, and says less
};

// Takes one or two seconds; traces this process for a moment.
std::vector<Finding> probe_capabilities();

// Whether everything that the tier needs, and everything that it builds upon, is there.
bool tier_works(const std::vector<Finding>& findings, const std::string& tier);

}  // namespace madvtrace
