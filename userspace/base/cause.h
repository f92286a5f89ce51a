// SPDX-License-Identifier: Apache-2.0
// Whose doing a call was: the `cause` column of events.csv and releases.csv. Concluded
// from the call's user stack (golang/cause.h); docs/csv-schema.md says what each means.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/enum_names.h"

namespace madvtrace {

enum class Cause : std::uint8_t {
  kBackground,       // Go's scavenger, at its own pace
  kFreeOsMemory,     // debug.FreeOSMemory
  kMemoryLimit,      // an allocation that would have gone over GOMEMLIMIT
  kHeapGrowth,       // Go's heap grows, or makes up for growing
  kHeapReserve,      // address space for Go's heap
  kReuse,            // memory that had been given back is used again
  kRuntimeMetadata,  // what Go's runtime keeps about the heap
  kArena,            // user arenas, and memory that is to fault when touched
  kApp,              // the program itself asked for it
  kMalloc,           // the C library, or another malloc
  kCgo,              // C code in a Go program
  kUnknown,          // looked at, and no rule says
  // Never in a row: since Go 1.19 both have the same stack, and the model tells them
  // apart for each call (model/memory_limit.h).
  kGrowthOrLimit,
};
inline constexpr std::size_t kCauses = 12;  // that a row can have

inline constexpr auto kCauseNames = names_of<Cause::kGrowthOrLimit>({
    {Cause::kBackground, "background"},
    {Cause::kFreeOsMemory, "freeosmemory"},
    {Cause::kMemoryLimit, "memory-limit"},
    {Cause::kHeapGrowth, "heap-growth"},
    {Cause::kHeapReserve, "heap-reserve"},
    {Cause::kReuse, "reuse"},
    {Cause::kRuntimeMetadata, "runtime-metadata"},
    {Cause::kArena, "arena"},
    {Cause::kApp, "app"},
    {Cause::kMalloc, "malloc"},
    {Cause::kCgo, "cgo"},
    {Cause::kUnknown, "unknown"},
    {Cause::kGrowthOrLimit, "heap-growth-or-memory-limit"},
});

}  // namespace madvtrace
