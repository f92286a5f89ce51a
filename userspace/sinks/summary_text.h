// SPDX-License-Identifier: Apache-2.0
// The end summary, for people: what was given back, what became of it as far as this
// trace can tell, what was lost. 80 columns, plain text.
#pragma once

#include <string>

#include "model/totals.h"

namespace madvtrace {

std::string summary_text(const RunTotals& totals);

}  // namespace madvtrace
