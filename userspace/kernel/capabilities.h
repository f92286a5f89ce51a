// SPDX-License-Identifier: Apache-2.0
// What the kernel really does, not what its version promises: every hook is loaded,
// attached and hit once by a call of our own (those that tell of reclaim: attached), and
// the page walk is compared with pages that we know.
#pragma once

#include <string>
#include <vector>

namespace madvtrace {

enum class Answer { kYes, kNo, kInconclusive };

struct Finding {
  std::string tier;  // "base", "exact", "refaults"
  std::string what;  // a hook as perf names it, or "page walk"
  Answer answer = Answer::kInconclusive;
  std::string detail;  // why not, or a remark; one line
};

// Takes well under a second; traces this process for a moment.
std::vector<Finding> probe_capabilities();

}  // namespace madvtrace
