// SPDX-License-Identifier: Apache-2.0
#include "golang/books_anchors.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "golang/code_references.h"

namespace madvtrace {
namespace {

using enum BooksWord;

// Offsets in bytes from an anchor, and the size of the word.
struct TableWord {
  BooksWord word;
  std::int32_t offset;
  std::uint32_t bytes = 8;
};

// From last_gc_unix.
constexpr std::array kMemstats112{
    TableWord{kHeapSys, -120},     TableWord{kHeapIdle, -112},   TableWord{kHeapInuse, -104},
    TableWord{kHeapReleased, -96}, TableWord{kStacksInuse, -80}, TableWord{kMspanSys, -56},
    TableWord{kMcacheSys, -40},    TableWord{kBuckhashSys, -32}, TableWord{kGcSys, -24},
    TableWord{kOtherSys, -16},     TableWord{kNextGc, -8}};
constexpr std::array kMemstats116{
    TableWord{kHeapSys, -128},  TableWord{kHeapInuse, -120},  TableWord{kHeapReleased, -112}, TableWord{kMspanSys, -72},
    TableWord{kMcacheSys, -56}, TableWord{kBuckhashSys, -48}, TableWord{kGcSys, -24},         TableWord{kOtherSys, -16},
    TableWord{kNextGc, -8},     TableWord{kTinyAllocs, 5784}};
constexpr std::array kMemstats117{
    TableWord{kHeapSys, -120},  TableWord{kHeapInuse, -112},  TableWord{kHeapReleased, -104}, TableWord{kMspanSys, -64},
    TableWord{kMcacheSys, -48}, TableWord{kBuckhashSys, -40}, TableWord{kGcSys, -16},         TableWord{kOtherSys, -8}};
constexpr std::array kMemstats119{TableWord{kMspanSys, -40}, TableWord{kMcacheSys, -32}, TableWord{kBuckhashSys, -24},
                                  TableWord{kGcSys, -16}, TableWord{kOtherSys, -8}};
// Whatever the version: part of the pattern that finds last_gc_unix.
constexpr std::array kCycles{TableWord{kPauseTotalNs, 8}, TableWord{kNumGc, 0x1010, 4}};

// From gcController.heapInUse, since 1.19; the first six are one block in the sources.
constexpr std::array kControllerWords{TableWord{kHeapInuse, 0},  TableWord{kHeapReleased, 8},
                                      TableWord{kHeapFree, 16},  TableWord{kTotalAlloc, 24},
                                      TableWord{kTotalFree, 32}, TableWord{kMappedReady, 40}};
constexpr std::array kPacer{TableWord{kGcPercentGoal, -200}, TableWord{kSweepMinTrigger, -192},
                            TableWord{kTriggered, -184}, TableWord{kHeapMarked, -120}};

constexpr HeapStatsPlace kSets116{.set_bytes = 1168,
                                  .released = 8,
                                  .in_heap = 16,
                                  .in_stacks = 24,
                                  .in_work_bufs = 32,
                                  .in_ptr_scalar_bits = 40,
                                  .large_alloc_count = 56,
                                  .large_free_count = 616,
                                  .small_alloc_count = 64,
                                  .small_free_count = 624,
                                  .size_classes = 68};
constexpr HeapStatsPlace kSets117{.set_bytes = 1176,
                                  .released = 8,
                                  .in_heap = 16,
                                  .in_stacks = 24,
                                  .in_work_bufs = 32,
                                  .in_ptr_scalar_bits = 40,
                                  .tiny_alloc_count = 48,
                                  .large_alloc_count = 64,
                                  .large_free_count = 624,
                                  .small_alloc_count = 72,
                                  .small_free_count = 632,
                                  .size_classes = 68};
constexpr HeapStatsPlace kSets125{.set_bytes = 1168,
                                  .released = 8,
                                  .in_heap = 16,
                                  .in_stacks = 24,
                                  .in_work_bufs = 32,
                                  .tiny_alloc_count = 40,
                                  .large_alloc_count = 56,
                                  .large_free_count = 616,
                                  .small_alloc_count = 64,
                                  .small_free_count = 624,
                                  .size_classes = 68};

struct TableRow {
  unsigned first_minor;
  unsigned last_minor;
  std::span<const TableWord> memstats;  // from last_gc_unix
  std::int32_t heap_stats;              // likewise
  const HeapStatsPlace* sets;           // null: none
  // Of the anchors, in their variables. 0: not known, or there is none.
  std::uint32_t last_gc_unix;
  std::uint32_t heap_in_use;  // and so -heap_in_use is gcPercent, and 8 more memoryLimit
  std::uint32_t arenas;
};

constexpr std::array kTable{
    TableRow{12, 12, kMemstats112, 0, nullptr, 176, 0, 848},
    TableRow{13, 13, kMemstats112, 0, nullptr, 176, 0, 880},
    TableRow{14, 14, kMemstats112, 0, nullptr, 176, 0, 66576},
    TableRow{15, 15, kMemstats112, 0, nullptr, 176, 0, 0},
    TableRow{16, 16, kMemstats116, 5848, &kSets116, 176, 0, 0},
    TableRow{17, 18, kMemstats117, 5792, &kSets117, 168, 0, 0},
    TableRow{19, 19, kMemstats119, -3592, &kSets117, 3592, 304, 66016},
    TableRow{20, 20, kMemstats119, -3592, &kSets117, 3592, 248, 0},
    TableRow{21, 24, kMemstats119, -3592, &kSets117, 3592, 272, 0},
    TableRow{25, 27, kMemstats119, -3568, &kSets125, 3568, 272, 66096},
};
constexpr unsigned kControllerSince = 19;

const TableRow* row_of(const GoVersion& version) {
  for (const TableRow& row : kTable) {
    if (version.minor >= row.first_minor && version.minor <= row.last_minor) return &row;
  }
  return nullptr;
}

std::uint64_t offset_address(std::uint64_t anchor, std::int64_t offset) {
  return anchor + static_cast<std::uint64_t>(offset);
}

void place(BooksLayout& layout, std::span<const TableWord> words, std::uint64_t anchor) {
  for (const TableWord& word : words) layout[word.word] = {offset_address(anchor, word.offset), word.bytes};
}

// What one function of the runtime names, of the writable part of the file.
class References {
 public:
  References(const ElfImage& image, const Pclntab& functions, std::string_view function) {
    constexpr std::uint64_t kFunctionBytesLimit = std::uint64_t{64} * 1024;  // gcMarkTermination: 4 KiB
    const std::optional<GoFunction> found = functions.find(function);
    if (!found || found->code.bytes() > kFunctionBytesLimit) return;
    const std::vector<std::byte> code = image.read(found->code.begin, found->code.bytes());
    for (const CodeReference& reference : code_references(image.machine(), code, found->code.begin)) {
      const bool writable = std::any_of(image.segments().begin(), image.segments().end(), [&](const auto& segment) {
        return segment.writable && reference.address >= segment.addresses.begin &&
               reference.address < segment.memory_end;
      });
      if (!writable) continue;
      references_.push_back(reference);
      if (addresses_.empty() || addresses_.back() != reference.address) addresses_.push_back(reference.address);
    }
  }

  bool empty() const { return references_.empty(); }
  bool names(std::uint64_t address) const { return std::binary_search(addresses_.begin(), addresses_.end(), address); }
  bool has(std::uint64_t address, DataAccess access) const {
    return std::binary_search(references_.begin(), references_.end(), CodeReference{address, access});
  }

  // The one address for which `fits` holds; nothing if there are several.
  template <class Fits>
  std::optional<std::uint64_t> only(const Fits& fits) const {
    std::optional<std::uint64_t> found;
    for (const std::uint64_t address : addresses_) {
      if (!fits(address)) continue;
      if (found) return std::nullopt;
      found = address;
    }
    return found;
  }

 private:
  std::vector<CodeReference> references_;  // ascending
  std::vector<std::uint64_t> addresses_;   // likewise
};

std::optional<std::uint64_t> find_last_gc_unix(const ElfImage& image, const GoVersion& version,
                                               const Pclntab& functions) {
  const References termination(image, functions, "runtime.gcMarkTermination");
  const std::optional<std::uint64_t> found = termination.only([&](std::uint64_t address) {
    return termination.names(address + 8) && termination.names(address + 0x10) && termination.names(address + 0x810) &&
           termination.names(address + 0x1010);
  });
  const TableRow* row = row_of(version);
  if (!found || version.at_least(kControllerSince) || row == nullptr) return found;

  const References scavenger(image, functions, "runtime.gcPaceScavenger");
  if (scavenger.empty()) return version.minor == 12 ? found : std::nullopt;
  for (const TableWord& word : row->memstats) {
    if (word.word != kHeapSys && word.word != kHeapReleased) continue;
    if (!scavenger.names(offset_address(*found, word.offset))) return std::nullopt;
  }
  return found;
}

std::optional<std::uint64_t> find_heap_in_use(const ElfImage& image, const Pclntab& functions) {
  const References condition(image, functions, "runtime.(*scavengerState).init.func3");
  return condition.only([&](std::uint64_t address) {
    return condition.has(address, DataAccess::kRead) && condition.has(address + 0x10, DataAccess::kRead) &&
           condition.has(address + 0x28, DataAccess::kRead);
  });
}

std::optional<std::uint64_t> find_arenas(const ElfImage& image, const GoVersion& version, const Pclntab& functions) {
  const References roots(image, functions,
                         version.at_least(25) ? "runtime.gcPrepareMarkRoots" : "runtime.gcMarkRootPrepare");
  const std::uint64_t copy = version.at_least(25) ? 0x48 : 0x30;
  const auto only_read = [&](std::uint64_t address) {
    return roots.has(address, DataAccess::kRead) && !roots.has(address, DataAccess::kWrite);
  };
  return roots.only([&](std::uint64_t address) {
    return only_read(address) && only_read(address + 8) && roots.names(address + copy) &&
           roots.names(address + copy + 8) && roots.names(address + copy + 0x10);
  });
}

}  // namespace

BooksAnchors anchors_from_symbols(const ElfImage& image, const GoVersion& version) {
  BooksAnchors anchors;
  const TableRow* row = row_of(version);
  if (row == nullptr) return anchors;
  const auto at = [&](std::string_view symbol, std::uint32_t offset) -> std::optional<std::uint64_t> {
    if (offset == 0) return std::nullopt;
    const std::optional<std::uint64_t> address = image.symbol(symbol);
    return address ? std::optional(*address + offset) : std::nullopt;
  };
  anchors.last_gc_unix = at("runtime.memstats", row->last_gc_unix);
  anchors.heap_in_use = at("runtime.gcController", row->heap_in_use);
  anchors.arenas = at("runtime.mheap_", row->arenas);
  return anchors;
}

BooksAnchors anchors_from_code(const ElfImage& image, const GoVersion& version, const Pclntab& functions) {
  BooksAnchors anchors;
  anchors.last_gc_unix = find_last_gc_unix(image, version, functions);
  if (version.at_least(kControllerSince)) anchors.heap_in_use = find_heap_in_use(image, functions);
  anchors.arenas = find_arenas(image, version, functions);
  return anchors;
}

bool goal_has_percent_headroom(const GoVersion& version) { return version.at_least(21); }

Result<BooksLayout> layout_from_anchors(const BooksAnchors& anchors, const GoVersion& version) {
  BooksLayout layout;
  const TableRow* row = row_of(version);
  if (anchors.last_gc_unix) {
    place(layout, kCycles, *anchors.last_gc_unix);
    if (row != nullptr) {
      place(layout, row->memstats, *anchors.last_gc_unix);
      if (row->sets != nullptr) {
        layout.heap_stats = *row->sets;
        layout.heap_stats.address = offset_address(*anchors.last_gc_unix, row->heap_stats);
      }
    }
  }
  if (anchors.heap_in_use) {
    place(layout, kControllerWords, *anchors.heap_in_use);
    if (row != nullptr && row->heap_in_use != 0) {
      place(layout, kPacer, *anchors.heap_in_use);
      layout[kGcPercent] = {*anchors.heap_in_use - row->heap_in_use, 4};
      layout[kMemoryLimit] = {*anchors.heap_in_use - row->heap_in_use + 8, 8};
    }
  }
  if (anchors.arenas) {
    layout[kArenas] = {*anchors.arenas, 8};
    layout[kArenasCount] = {*anchors.arenas + 8, 8};
  }
  layout.goal_headroom_percent = goal_has_percent_headroom(version);
  if (!layout.has_heap()) {
    return fail(row == nullptr ? "the layout of " + version.text + " is not known" : "no address of the heap's books");
  }
  return layout;
}

}  // namespace madvtrace
