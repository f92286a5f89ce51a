// SPDX-License-Identifier: Apache-2.0
// What RSS is made of: parts that add up to it, from what the page tables hold, what the
// kernel counts, and what the Go runtime says of itself (its books).
//
//   RSS = heap in use + idle, not released + lazily freed + stacks + runtime + files
//         + other anonymous memory + unexplained
//
// The kernel's and the page walk's numbers say what is resident, the books say what the
// runtime uses it for. Inside the heap's arenas the page walk is right about how much
// there is, and the books about everything but the heap in use: what was allocated and
// never touched is in HeapInuse and not resident. So the heap in use is what remains of
// the arenas, at most HeapInuse; what is more than that is unexplained, as is any other
// difference: it is shown, never folded away.
//
// The numbers of a sample are read one after the other. A process that works meanwhile
// changes them, and the difference shows in the last parts.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>

#include "base/field.h"
#include "model/event.h"

namespace madvtrace {

// Bytes of RSS. Empty: cannot be told apart from other_anon_bytes, where it is included.
struct Waterfall {
  std::uint64_t rss_bytes = 0;
  std::optional<std::uint64_t> heap_inuse_bytes;  // spans in use: live objects, and garbage not yet collected
  std::optional<std::uint64_t> heap_idle_bytes;   // free spans that the runtime has not given back
  std::optional<std::uint64_t> lazyfree_bytes;    // given back by MADV_FREE, and the kernel has not taken it
  std::optional<std::uint64_t> stacks_bytes;      // of goroutines
  std::optional<std::uint64_t> runtime_bytes;     // the runtime's own: spans, bitmaps, work buffers; at most so much
  std::uint64_t file_bytes = 0;                   // the binary, mapped files, shared memory
  std::uint64_t other_anon_bytes = 0;             // C libraries, the program's own mappings, variables
  std::int64_t unexplained_bytes = 0;             // may be negative: the parts above are more than RSS
};

inline constexpr std::tuple kWaterfallFields{
    Field{"heap_inuse_bytes", &Waterfall::heap_inuse_bytes}, Field{"heap_idle_bytes", &Waterfall::heap_idle_bytes},
    Field{"lazyfree_bytes", &Waterfall::lazyfree_bytes},     Field{"stacks_bytes", &Waterfall::stacks_bytes},
    Field{"runtime_bytes", &Waterfall::runtime_bytes},       Field{"file_backed_bytes", &Waterfall::file_bytes},
    Field{"other_anon_bytes", &Waterfall::other_anon_bytes}, Field{"unexplained_bytes", &Waterfall::unexplained_bytes},
};

// Nothing if the sample does not even say how RSS divides into anonymous memory and files.
std::optional<Waterfall> waterfall_of(const Sample& sample);

}  // namespace madvtrace
