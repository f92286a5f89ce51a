// SPDX-License-Identifier: Apache-2.0
// The exit code that a finished run has earned.
#pragma once

#include <algorithm>

#include "base/result.h"
#include "model/totals.h"

namespace madvtrace {

inline ExitCode exit_code_of(const RunTotals& totals) {
  if (!totals.end) return ExitCode::kInconclusive;
  // A stack that could not be had leaves the numbers as they are.
  const bool numbers_depend_on_it = std::any_of(totals.lost.begin(), totals.lost.end(),
                                                [](const auto& loss) { return !loss.first.starts_with("stack_"); });
  return numbers_depend_on_it ? ExitCode::kInconclusive : ExitCode::kClean;
}

}  // namespace madvtrace
