// SPDX-License-Identifier: Apache-2.0
// The exit code that a finished run has earned.
#pragma once

#include <algorithm>

#include "base/losses.h"
#include "base/result.h"
#include "model/totals.h"

namespace madvtrace {

inline ExitCode exit_code_of(const RunTotals& totals) {
  if (!totals.end) return ExitCode::kInconclusive;
  const bool numbers_depend_on_it = std::any_of(totals.lost.begin(), totals.lost.end(),
                                                [](const auto& loss) { return harm_of(loss.first) != Harm::kStacks; });
  return numbers_depend_on_it ? ExitCode::kInconclusive : ExitCode::kClean;
}

}  // namespace madvtrace
