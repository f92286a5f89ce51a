// SPDX-License-Identifier: Apache-2.0
// The first record of a stream, and the last: what ran, on what, and what it cost.
#pragma once

#include "app/options.h"
#include "kernel/direct_map.h"
#include "model/event.h"

namespace madvtrace {

RunInfo describe_run(const Options& options, const Result<DirectMap>& direct_map, const Status& gc_marks,
                     const Status& reclaim_moments);
RunEnd describe_end(std::uint64_t ended_mono_ns);

}  // namespace madvtrace
