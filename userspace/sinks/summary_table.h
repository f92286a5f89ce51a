// SPDX-License-Identifier: Apache-2.0
// The part of the end summary that is about processes where there are many: a table of
// those that count most, and what the rest come to.
#pragma once

#include <string>

#include "model/totals.h"

namespace madvtrace {

// Lines of at most 80 columns. What has most pending comes first, then what gave most
// back. Processes of one program that ended share a line.
std::string process_table_text(const RunTotals& totals);

}  // namespace madvtrace
