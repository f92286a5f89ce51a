// SPDX-License-Identifier: Apache-2.0
// Where the runtime's books are in the memory of one program. Each rung of the ladder
// (books.h) answers with one of these, in link-time addresses. Plain numbers: it travels
// through a pipe from the process that parses debug information.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace madvtrace {

// Names of the Go sources. Which of them there are depends on the version of Go.
enum class BooksWord : std::uint8_t {
  kHeapSys,          // memstats.heap_sys                      -1.18
  kHeapIdle,         // memstats.heap_idle                     -1.15
  kHeapInuse,        // memstats.heap_inuse, gcController.heapInUse
  kHeapReleased,     // memstats.heap_released, gcController.heapReleased
  kHeapFree,         // gcController.heapFree              1.19-
  kTotalAlloc,       // gcController.totalAlloc            1.19-
  kTotalFree,        // gcController.totalFree             1.19-
  kMappedReady,      // gcController.mappedReady           1.19-
  kGcPercent,        // runtime.gcpercent, gcController.gcPercent; an int32
  kMemoryLimit,      // gcController.memoryLimit           1.19-
  kGcPercentGoal,    // gcController.gcPercentHeapGoal     1.19-
  kSweepMinTrigger,  // gcController.sweepDistMinTrigger   1.19-
  kTriggered,        // gcController.triggered             1.19-
  kHeapMarked,       // gcController.heapMarked            1.19-
  kNextGc,           // memstats.next_gc -1.16, gcController.heapGoal 1.17-1.18
  kNumGc,            // memstats.numgc; a uint32
  kPauseTotalNs,     // memstats.pause_total_ns
  kStacksInuse,      // memstats.stacks_inuse                  -1.15
  kTinyAllocs,       // memstats.tinyallocs                     1.16
  kMspanSys,         // memstats.mspan_sys
  kMcacheSys,        // memstats.mcache_sys
  kBuckhashSys,      // memstats.buckhash_sys
  kGcSys,            // memstats.gc_sys -1.15, gcMiscSys 1.16-
  kOtherSys,         // memstats.other_sys
  kArenas,           // mheap_.allArenas, heapArenas (1.25-): the pointer of a slice
  kArenasCount,      // and its length
  kCount,
};
inline constexpr std::size_t kBooksWords = static_cast<std::size_t>(BooksWord::kCount);

struct WordPlace {
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;  // 4 or 8; 0: not known
  bool known() const { return bytes != 0; }
};

// memstats.heapStats (since 1.16): three sets of counters, whose sum counts. Offsets are
// those in runtime.heapStatsDelta, all of 8-byte words.
struct HeapStatsPlace {
  static constexpr std::uint32_t kSets = 3;
  static constexpr std::uint32_t kSetBytesLimit = 8192;  // 1168 to 1176 up to Go 1.27
  static constexpr std::uint32_t kAbsent = UINT32_MAX;

  std::uint64_t address = 0;
  std::uint32_t set_bytes = 0;  // 0: not known
  std::uint32_t released = kAbsent;
  std::uint32_t in_heap = kAbsent;
  std::uint32_t in_stacks = kAbsent;
  std::uint32_t in_work_bufs = kAbsent;
  std::uint32_t in_ptr_scalar_bits = kAbsent;  // -1.24
  std::uint32_t tiny_alloc_count = kAbsent;    // 1.17-
  std::uint32_t large_alloc_count = kAbsent;
  std::uint32_t large_free_count = kAbsent;
  std::uint32_t small_alloc_count = kAbsent;  // an array, of one word a size class
  std::uint32_t small_free_count = kAbsent;   // likewise
  std::uint32_t size_classes = 0;

  bool known() const { return set_bytes != 0; }
};

struct BooksLayout {
  std::array<WordPlace, kBooksWords> words;
  HeapStatsPlace heap_stats;
  // Go 1.21 and later keep 3% of the heap goal free under a memory limit, not 1 MiB alone.
  bool goal_headroom_percent = false;
  // Address of arena number 0: where the user half of canonical addresses is signed
  // (x86-64), the arena numbers begin at its lower end (malloc.go, arenaBaseOffset).
  std::uint64_t arena_base = 0;

  WordPlace& operator[](BooksWord word) { return words[static_cast<std::size_t>(word)]; }
  const WordPlace& operator[](BooksWord word) const { return words[static_cast<std::size_t>(word)]; }

  // Enough to be worth a row: the four heap columns can be computed.
  bool has_heap() const {
    return (*this)[BooksWord::kHeapInuse].known() && (*this)[BooksWord::kHeapReleased].known() &&
           ((*this)[BooksWord::kHeapSys].known() || (*this)[BooksWord::kHeapFree].known());
  }
};
static_assert(std::is_trivially_copyable_v<BooksLayout>);

}  // namespace madvtrace
