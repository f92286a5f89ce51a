// SPDX-License-Identifier: Apache-2.0
// The part of the end summary that is about cgroups: what one is charged, and why that is
// not what the RSS of its processes adds up to.
#pragma once

#include <string>

#include "model/totals.h"

namespace madvtrace {

// Whole lines of at most 80 columns; nothing where nothing is known.
std::string charge_text(const GroupCharge& first, const GroupCharge& last);

// The group that was watched; a path that is longer than a line is not broken. Nothing if
// none was.
std::string group_text(const RunTotals& totals);

}  // namespace madvtrace
