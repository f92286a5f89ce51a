// SPDX-License-Identifier: Apache-2.0
// What the kernel side counts of reclaim (struct wire_reclaim_sum in bpf/records.h).
#pragma once

#include <array>
#include <cstdint>

namespace madvtrace {

// Of one kind of reclaimer, since the hooks were attached. Read field by field while it
// goes on being counted: `ended` first, so that none is missed that is under way.
struct ReclaimSum {
  std::uint64_t ended = 0;     // of the reclaims that were seen to begin
  std::uint64_t pages = 0;     // of any process, told when a reclaim ends
  std::uint64_t begun = 0;     // reclaims that were seen to begin
  std::uint64_t begun_ns = 0;  // CLOCK_MONOTONIC: when the last one began; 0: none
  bool operator==(const ReclaimSum&) const = default;
};

using ReclaimSums = std::array<ReclaimSum, 6>;  // by enum wire_reclaimer

}  // namespace madvtrace
