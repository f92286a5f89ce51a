// SPDX-License-Identifier: Apache-2.0
#include "golang/books.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "golang/books_anchors.h"
#include "golang/books_dwarf.h"
#include "golang/books_layout.h"
#include "golang/gc_goal.h"
#include "golang/little_endian.h"

namespace madvtrace {
namespace {

using enum BooksWord;

constexpr int kReadsLimit = 8;
constexpr std::uint64_t kArenaBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kArenasLimit = kMemoryReadLimitBytes / sizeof(std::uint64_t);  // 8 TiB of them
constexpr std::uint64_t kDriftBytes = std::uint64_t{1} << 20;
// The caller's limit is from another moment.
constexpr std::uint64_t kGrowthBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kAddressSpaceBytes = std::uint64_t{1} << 56;  // of a process, at most
constexpr std::uint64_t kPageBytesGo = 4096;  // a divisor of what every released or used piece is made of

// What one read brought.
struct Snapshot {
  std::array<std::uint64_t, kBooksWords> words{};
  std::vector<std::byte> sets;
};

Result<Snapshot> take(const ProcessMemory& memory, const BooksLayout& layout) {
  Snapshot snapshot;
  std::vector<MemoryPiece> pieces;
  for (std::size_t i = 0; i < kBooksWords; ++i) {
    const WordPlace& place = layout.words[i];
    if (!place.known()) continue;
    pieces.push_back({place.address, std::as_writable_bytes(std::span(&snapshot.words[i], 1)).first(place.bytes)});
  }
  if (layout.heap_stats.known()) {
    snapshot.sets.resize(std::size_t{HeapStatsPlace::kSets} * layout.heap_stats.set_bytes);
    pieces.push_back({layout.heap_stats.address, snapshot.sets});
  }
  MADV_TRY(memory.read(pieces));
  return snapshot;
}

// The words of a snapshot under their names, and the sums of its sets.
class Words {
 public:
  Words(const BooksLayout& layout, const Snapshot& snapshot) : layout_(layout), snapshot_(snapshot) {}

  std::optional<std::uint64_t> get(BooksWord word) const {
    return layout_[word].known() ? std::optional(at(word)) : std::nullopt;
  }
  // 0 if there is none.
  std::uint64_t at(BooksWord word) const { return snapshot_.words[static_cast<std::size_t>(word)]; }

  bool has_sets() const { return layout_.heap_stats.known(); }
  // Counters wrap around: only the sum of the sets counts.
  std::optional<std::uint64_t> sum(std::uint32_t offset, std::uint32_t words = 1) const {
    if (!has_sets() || offset == HeapStatsPlace::kAbsent) return std::nullopt;
    std::uint64_t sum = 0;
    for (std::uint64_t set = 0; set < HeapStatsPlace::kSets; ++set) {
      for (std::uint64_t i = 0; i < words; ++i) {
        const auto word = load<std::uint64_t>(snapshot_.sets, set * layout_.heap_stats.set_bytes + offset + 8 * i);
        if (!word) return std::nullopt;
        sum += *word;
      }
    }
    return sum;
  }

 private:
  const BooksLayout& layout_;
  const Snapshot& snapshot_;
};

Result<GoBooks> heap_books(const Words& words, const BooksLayout& layout, std::uint64_t limit) {
  // Before they are added up, so that no sum wraps around.
  for (const BooksWord word : {kHeapSys, kHeapIdle, kHeapInuse, kHeapReleased, kHeapFree, kMappedReady}) {
    if (words.at(word) > limit) return fail("books: more than the address space of the process");
  }
  const std::uint64_t inuse = words.at(kHeapInuse);
  const std::uint64_t released = words.at(kHeapReleased);
  std::uint64_t sys = words.at(kHeapSys);
  std::uint64_t idle = words.at(kHeapIdle);
  if (layout[kHeapFree].known()) {
    idle = words.at(kHeapFree) + released;
    sys = inuse + idle;
    if (sys > limit) return fail("books: more than the address space of the process");
  } else if (!layout[kHeapIdle].known()) {
    if (inuse > sys) return fail("books: HeapInuse is more than HeapSys");
    idle = sys - inuse;
  }
  if (sys == 0) return fail("books: the runtime has not set up its heap");
  if (inuse + idle != sys) return fail("books: HeapInuse + HeapIdle is not HeapSys");
  if (released > idle) return fail("books: HeapReleased is more than HeapIdle");
  if (((inuse | idle | released) & (kPageBytesGo - 1)) != 0) return fail("books: not a number of whole pages");
  if (layout[kMappedReady].known() && words.at(kMappedReady) < inuse + words.at(kHeapFree)) {
    return fail("books: more heap than mapped memory");
  }
  GoBooks books;
  books.heap_sys_bytes = sys;
  books.heap_inuse_bytes = inuse;
  books.heap_idle_bytes = idle;
  books.heap_released_bytes = released;
  books.mapped_ready_bytes = words.get(kMappedReady);
  return books;
}

enum class Agreement { kFull, kNear, kNone };

// Between the two sets of counters: they are not changed at the same moment, so in a busy
// process they may be a little apart.
Agreement agreement(const Words& words, const HeapStatsPlace& sets) {
  const std::optional<std::uint64_t> in_heap = words.sum(sets.in_heap);
  const std::optional<std::uint64_t> released = words.sum(sets.released);
  if (!in_heap || !released) return Agreement::kNone;
  const auto apart = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; };
  const std::uint64_t most = std::max(apart(*in_heap, words.at(kHeapInuse)), apart(*released, words.at(kHeapReleased)));
  if (most == 0) return Agreement::kFull;
  return most <= std::min(words.at(kHeapInuse) / 16, kDriftBytes) ? Agreement::kNear : Agreement::kNone;
}

void add_heap_stats(GoBooks& books, const Words& words, const HeapStatsPlace& sets) {
  const std::optional<std::uint64_t> tiny =
      sets.tiny_alloc_count != HeapStatsPlace::kAbsent ? words.sum(sets.tiny_alloc_count) : words.get(kTinyAllocs);
  const auto objects = [&](std::uint32_t large, std::uint32_t small) -> std::optional<std::uint64_t> {
    const std::optional<std::uint64_t> large_count = words.sum(large);
    const std::optional<std::uint64_t> small_count = words.sum(small, sets.size_classes);
    if (!large_count || !small_count) return std::nullopt;
    return *large_count + *small_count + tiny.value_or(0);
  };
  const std::optional<std::uint64_t> mallocs = objects(sets.large_alloc_count, sets.small_alloc_count);
  const std::optional<std::uint64_t> frees = objects(sets.large_free_count, sets.small_free_count);
  if (tiny && mallocs && frees && *frees <= *mallocs) {
    books.mallocs = mallocs;
    books.frees = frees;
  }
  books.stack_inuse_bytes = words.sum(sets.in_stacks);
  if (const auto work_bufs = words.sum(sets.in_work_bufs)) {
    books.gc_work_inuse_bytes = *work_bufs + words.sum(sets.in_ptr_scalar_bits).value_or(0);
  }
}

std::optional<std::uint64_t> next_gc(const Words& words, const BooksLayout& layout) {
  std::optional<std::uint64_t> goal = words.get(kNextGc);
  if (layout[kGcPercentGoal].known() && layout[kSweepMinTrigger].known() && layout[kTriggered].known() &&
      layout[kHeapMarked].known() && layout[kMemoryLimit].known() && layout[kMappedReady].known() &&
      layout[kTotalAlloc].known() && layout[kTotalFree].known()) {
    goal = gc_goal({.gc_percent_goal = words.at(kGcPercentGoal),
                    .sweep_min_trigger = words.at(kSweepMinTrigger),
                    .triggered = words.at(kTriggered),
                    .heap_marked = words.at(kHeapMarked),
                    .memory_limit = words.at(kMemoryLimit),
                    .heap_free = words.at(kHeapFree),
                    .heap_alloc = words.at(kTotalAlloc) - words.at(kTotalFree),
                    .mapped_ready = words.at(kMappedReady),
                    .headroom_percent = layout.goal_headroom_percent});
  }
  // GOGC=off: UINT64_MAX, or what is left of a memory limit that is none.
  return goal.value_or(UINT64_MAX) < kAddressSpaceBytes ? goal : std::nullopt;
}

void add_pacer(GoBooks& books, const Words& words, const BooksLayout& layout) {
  books.next_gc_bytes = next_gc(words, layout);
  if (const auto limit = words.get(kMemoryLimit); limit && *limit <= kNoGoMemoryLimit) books.memory_limit_bytes = limit;
  if (const auto percent = words.get(kGcPercent)) {
    books.gc_percent = std::max<std::int64_t>(static_cast<std::int32_t>(static_cast<std::uint32_t>(*percent)), -1);
  }
}

void add_words(GoBooks& books, const Words& words, const BooksLayout& layout) {
  // The first goal is set when GOGC and GOMEMLIMIT have been read; until then these are 0.
  const bool pacer_ready = !layout[kGcPercentGoal].known() || words.at(kGcPercentGoal) != 0;
  if (pacer_ready) add_pacer(books, words, layout);
  books.num_gc = words.get(kNumGc);
  books.pause_total_ns = words.get(kPauseTotalNs);
  if (layout[kStacksInuse].known()) books.stack_inuse_bytes = words.get(kStacksInuse);
  std::uint64_t metadata = 0;
  bool all = true;
  for (const BooksWord word : {kMspanSys, kMcacheSys, kBuckhashSys, kGcSys, kOtherSys}) {
    all &= layout[word].known();
    metadata += words.at(word);
  }
  if (all) books.metadata_sys_bytes = metadata;
}

// Nothing if they cannot be read or cannot be what they should be.
std::vector<AddressRange> read_arenas(const ProcessMemory& memory, const Words& words, const BooksLayout& layout) {
  constexpr std::uint64_t kNumberLimit = std::uint64_t{1} << 22;  // of the arenas of a 48-bit address space
  const std::uint64_t count = words.at(kArenasCount);
  if (!layout[kArenas].known() || count == 0 || count > kArenasLimit) return {};
  std::vector<std::uint64_t> numbers(count);
  const std::array pieces{MemoryPiece{words.at(kArenas), std::as_writable_bytes(std::span(numbers))}};
  if (!memory.read(pieces)) return {};

  std::sort(numbers.begin(), numbers.end());
  std::vector<AddressRange> arenas;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] >= kNumberLimit || (i > 0 && numbers[i] == numbers[i - 1])) return {};
    const std::uint64_t begin = numbers[i] * kArenaBytes + layout.arena_base;
    if (begin >= kAddressSpaceBytes) return {};  // the kernel's half
    if (!arenas.empty() && arenas.back().end == begin) {
      arenas.back().end += kArenaBytes;
    } else {
      arenas.push_back({begin, begin + kArenaBytes});
    }
  }
  return count * kArenaBytes >= words.at(kHeapInuse) ? arenas : std::vector<AddressRange>{};
}

BooksLayout at_run_time(BooksLayout layout, ElfMachine machine, std::uint64_t bias) {
  for (WordPlace& place : layout.words) place.address += bias;
  layout.heap_stats.address += bias;
  constexpr std::uint64_t kSignedHalf = 0xffff'8000'0000'0000;
  layout.arena_base = machine == ElfMachine::kX86_64 ? kSignedHalf : 0;
  if (machine == ElfMachine::kOther) layout[kArenas] = {};
  return layout;
}

void take_missing(BooksAnchors& anchors, const BooksAnchors& more) {
  if (!anchors.heap_in_use) anchors.heap_in_use = more.heap_in_use;
  if (!anchors.last_gc_unix) anchors.last_gc_unix = more.last_gc_unix;
  if (!anchors.arenas) anchors.arenas = more.arenas;
}

}  // namespace

BooksReader::BooksReader(BooksRung rung, const BooksLayout& layout)
    : rung_(rung), layout_(std::make_shared<const BooksLayout>(layout)) {}

Result<BooksReader> BooksReader::locate(const ElfImage& image, const std::optional<GoVersion>& known_version,
                                        const Pclntab* functions, std::uint64_t bias) {
  const GoVersion version = known_version.value_or(GoVersion{.minor = UINT_MAX, .text = "an unknown version"});
  const auto reader = [&](BooksRung rung, const BooksLayout& layout) {
    return BooksReader(rung, at_run_time(layout, image.machine(), bias));
  };
  Result<BooksLayout> layout = layout_from_dwarf(image);
  if (layout) {
    layout->goal_headroom_percent = goal_has_percent_headroom(version);
    if (!known_version) (*layout)[kHeapMarked] = {};  // then there is no next_gc
    return reader(BooksRung::kDwarf, *layout);
  }
  std::string why = layout.error().message;

  BooksAnchors anchors = anchors_from_symbols(image, version);
  const BooksRung rung = layout_from_anchors(anchors, version) ? BooksRung::kSymtab : BooksRung::kCode;
  if (rung == BooksRung::kCode)
    why += anchors.last_gc_unix ? "; symbols: not enough" : "; no symbols of a known version";
  if (functions != nullptr) take_missing(anchors, anchors_from_code(image, version, *functions));
  layout = layout_from_anchors(anchors, version);
  if (layout) return reader(rung, *layout);
  return fail("Go's books: " + why + "; code: " + layout.error().message);
}

Result<GoBooks> BooksReader::read(const ProcessMemory& memory, const BooksLimits& limits) const {
  const BooksLayout& layout = *layout_;
  const std::uint64_t limit = limits.address_space_bytes
                                  ? std::min(*limits.address_space_bytes, kAddressSpaceBytes) + kGrowthBytes
                                  : kAddressSpaceBytes;
  Result<GoBooks> books = fail("books: not read");
  for (int reads = 1; reads <= kReadsLimit; ++reads) {
    MADV_TAKE(const Snapshot snapshot, take(memory, layout));
    const Words words(layout, snapshot);
    books = heap_books(words, layout, limit);
    if (!books) continue;
    const Agreement sets = agreement(words, layout.heap_stats);
    if (words.has_sets() && sets != Agreement::kFull && reads < kReadsLimit) continue;
    add_words(*books, words, layout);
    if (sets != Agreement::kNone) add_heap_stats(*books, words, layout.heap_stats);
    books->arenas = read_arenas(memory, words, layout);
    return books;
  }
  return books;
}

}  // namespace madvtrace
