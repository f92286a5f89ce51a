// SPDX-License-Identifier: Apache-2.0
// The two rungs below DWARF: from addresses to a layout, by a table of the layouts of
// every version of Go from 1.12 to 1.27.
//
// Rows come from the debug information of 1.12.9, 1.13.8, 1.14.2, 1.19.8, 1.25.0 and
// 1.26.0; what lies between was read in the sources and held against running programs:
// their own statistics or traces (GODEBUG=gctrace=1,scavtrace=1), and the check that every
// read makes between two sets of counters. The layouts are those of 64-bit machines.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "golang/books_layout.h"
#include "golang/elf_image.h"
#include "golang/go_version.h"
#include "golang/pclntab.h"

namespace madvtrace {

// Link-time addresses that the rest is counted from.
struct BooksAnchors {
  std::optional<std::uint64_t> heap_in_use;   // gcController.heapInUse, 1.19-
  std::optional<std::uint64_t> last_gc_unix;  // memstats.last_gc_unix
  std::optional<std::uint64_t> arenas;        // mheap_.allArenas, since 1.25 heapArenas
};

// From the symbols runtime.memstats, runtime.gcController and runtime.mheap_. Nothing in
// it for a stripped program, or a version that is not in the table.
BooksAnchors anchors_from_symbols(const ElfImage& image, const GoVersion& version);

// From instructions of the runtime. Each is the only address that fits a pattern:
//
//   (*scavengerState).init.func3    reads H, H+0x10 and H+0x28: heapInUse, heapFree and
//     1.19-                         mappedReady
//   gcMarkTermination               names U, +8, +0x10, +0x810 and +0x1010: last_gc_unix,
//     1.12-                         pause_total_ns, pause_ns[256], pause_end[256], numgc
//   gcMarkRootPrepare -1.24,        reads A and A+8 and never writes them; names B, B+8 and
//   gcPrepareMarkRoots 1.25-        B+0x10, which are A+0x30, since 1.25 A+0x48: it copies
//                                   the slice of arenas to mheap_.markArenas
//
// Up to 1.18 the heap is found from U, and gcPaceScavenger (1.13-1.18) has to name both
// heap_sys and heap_released, or there is no U.
BooksAnchors anchors_from_code(const ElfImage& image, const GoVersion& version, const Pclntab& functions);

// See BooksLayout::goal_headroom_percent.
bool goal_has_percent_headroom(const GoVersion& version);

// An error if that is not enough for the heap. The addresses are link-time.
Result<BooksLayout> layout_from_anchors(const BooksAnchors& anchors, const GoVersion& version);

}  // namespace madvtrace
