// SPDX-License-Identifier: Apache-2.0
// Why RSS is what it is: the part of it that weighs most, and what is known of it. One
// paragraph of the summary says it in words (sinks/verdict_text.h).
//
// The verdict rests on the last sample's waterfall (model/waterfall.h) and on how it
// changed during the trace. Where the evidence is thin it says why instead of sounding
// surer than it is.
#pragma once

#include <cstdint>
#include <optional>

#include "base/enum_names.h"
#include "model/totals.h"
#include "model/waterfall.h"

namespace madvtrace {

enum class Reason : std::uint8_t {
  kUnknown,      // nothing that weighs most can be named
  kHeapInUse,    // the program keeps it, or its garbage has not been collected
  kHeapGrows,    // the same, and what survives collections has become more and more
  kIdleHeap,     // free in the Go heap, not given back yet
  kLazyFree,     // given back by MADV_FREE, the kernel has not taken it
  kStacks,       // of goroutines
  kOtherAnon,    // not Go's: C libraries, mappings of its own
  kFiles,        // the binary, mapped files, shared memory
  kUnexplained,  // resident in the heap, though the runtime gave it back: huge pages, mostly
};

inline constexpr auto kReasonNames = names_of<Reason::kUnexplained>({
    {Reason::kUnknown, "unknown"},
    {Reason::kHeapInUse, "heap_in_use"},
    {Reason::kHeapGrows, "heap_grows"},
    {Reason::kIdleHeap, "idle_heap"},
    {Reason::kLazyFree, "lazy_free"},
    {Reason::kStacks, "stacks"},
    {Reason::kOtherAnon, "other_memory"},
    {Reason::kFiles, "files"},
    {Reason::kUnexplained, "unexplained"},
});

enum class Thin : std::uint8_t {
  kNot,
  kNoBooks,       // the runtime's books could not be read
  kShort,         // too short to see more than one collection
  kManyAreClose,  // the next part weighs nearly as much
};

struct Verdict {
  Reason reason = Reason::kUnknown;
  Thin thin = Thin::kNot;
  std::uint64_t bytes = 0;  // of that part, at the end
  // kHeapGrows: by how much the heap that survives a collection grew since the first one
  // of the trace, and over how many. Otherwise: how many there were in the trace.
  std::uint64_t grown_bytes = 0;
  std::optional<std::uint64_t> collections;
  // kIdleHeap: what the scavenger is still going to give back, as far as the books tell:
  // it keeps 10% more than the goal of the last collection (runtime/mgcscavenge.go,
  // retainExtraPercent). Empty: not known.
  std::optional<std::uint64_t> to_come_bytes;
};

// Nothing for a process that is not a Go program, or of which no memory is known.
std::optional<Verdict> verdict_of(const ProcessTotals& process);

// Live objects at the end of the last collection, from the goal that followed from it:
// goal = live + live * GOGC / 100. Nothing where the memory limit or the smallest heap
// (4 MiB) made the goal. Since 1.18 stacks and globals count into the goal, so this is
// what they leave at most.
std::optional<std::uint64_t> live_heap_bytes(const GoHeap& heap);

}  // namespace madvtrace
