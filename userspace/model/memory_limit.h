// SPDX-License-Identifier: Apache-2.0
// near_memory_limit() says whether a Go program is so near its memory limit that an
// allocation gives memory back because of it.
//
// Since Go 1.19 an allocation releases for two reasons, and the stacks are the same
// ((*mheap).allocSpan, runtime/mheap.go): the heap has grown, and what it takes it gives
// back elsewhere; or mappedReady plus what it is about to page in is over the memory
// limit. Without a limit (math.MaxInt64, the default) only the first can be. With one,
// the runtime itself stays near it once it has come near: the background scavenger starts
// at 95% of it (reduceExtraPercent, runtime/mgcscavenge.go). The books are up to one
// interval old, so a little below that counts as near.
#pragma once

#include <cstdint>
#include <optional>

#include "base/go_heap.h"

namespace madvtrace {

inline constexpr std::uint64_t kNearLimitPercent = 90;

// False if either is not known: nothing then speaks for the limit.
inline bool near_memory_limit(std::optional<std::uint64_t> limit_bytes,
                              std::optional<std::uint64_t> mapped_ready_bytes) {
  if (!limit_bytes || !mapped_ready_bytes || *limit_bytes >= kNoGoMemoryLimit) return false;
  return *mapped_ready_bytes >= *limit_bytes - *limit_bytes / 100 * (100 - kNearLimitPercent);
}

}  // namespace madvtrace
