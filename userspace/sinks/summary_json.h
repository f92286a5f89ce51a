// SPDX-License-Identifier: Apache-2.0
// summary.json: what the end summary says, for programs. Keys in docs/csv-schema.md.
#pragma once

#include <string>

#include "model/totals.h"

namespace madvtrace {

// Ends in a newline. null stands for unknown.
std::string summary_json(const RunTotals& totals);

}  // namespace madvtrace
