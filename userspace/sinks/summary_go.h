// SPDX-License-Identifier: Apache-2.0
// The part of the end summary that is about Go: the version, what RSS is made of, how
// long memory lay idle before it was given back, and the verdict.
#pragma once

#include <string>

#include "model/totals.h"

namespace madvtrace {

// Each is whole lines of at most 80 columns, or nothing.
std::string go_program_text(const ProcessTotals& process);
std::string waterfall_text(const ProcessTotals& process);
std::string go_side_text(const ProcessTotals& process);

}  // namespace madvtrace
