// SPDX-License-Identifier: Apache-2.0
// These functions add up what the processes of the watched group have in memory: the last
// sample of each that was looked at since and still runs what it ran then.
//
// A sum is empty if one of its parts is unknown, or there is none. Pages that processes
// share count once for each of them, as they do in RSS.
#pragma once

#include <optional>

#include "model/rows.h"

namespace madvtrace {

// A row of no process that has what is added up of this one, and nothing else.
SampleRow group_part(const SampleRow& row);

// `sum` is empty as long as nothing has been added to it.
void add_to_group(std::optional<SampleRow>& sum, const SampleRow& part);

}  // namespace madvtrace
