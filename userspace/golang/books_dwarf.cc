// SPDX-License-Identifier: Apache-2.0
#include "golang/books_dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "golang/limited_child.h"
#include "golang/little_endian.h"

namespace madvtrace {
namespace {

using enum BooksWord;

constexpr std::size_t kUnitsLimit = 100'000;      // a unit a package: hundreds, a few thousand
constexpr std::size_t kEntriesLimit = 2'000'000;  // the unit "runtime" has about 10,000 children
constexpr int kTypedefsLimit = 8;

// Where a word is in the sources; several for one word: the first that exists.
struct WordSource {
  BooksWord word;
  std::string_view variable;
  std::string_view member;  // empty: the variable itself
};
constexpr std::string_view kMemstats = "runtime.memstats";
constexpr std::string_view kController = "runtime.gcController";
constexpr std::string_view kHeap = "runtime.mheap_";
constexpr std::string_view kPercent = "runtime.gcpercent";
constexpr std::array kSources{
    WordSource{kHeapSys, kMemstats, "heap_sys"},
    WordSource{kHeapIdle, kMemstats, "heap_idle"},
    WordSource{kHeapInuse, kController, "heapInUse"},
    WordSource{kHeapInuse, kMemstats, "heap_inuse"},
    WordSource{kHeapReleased, kController, "heapReleased"},
    WordSource{kHeapReleased, kMemstats, "heap_released"},
    WordSource{kHeapFree, kController, "heapFree"},
    WordSource{kTotalAlloc, kController, "totalAlloc"},
    WordSource{kTotalFree, kController, "totalFree"},
    WordSource{kMappedReady, kController, "mappedReady"},
    WordSource{kGcPercent, kController, "gcPercent"},
    WordSource{kGcPercent, kPercent, ""},
    WordSource{kMemoryLimit, kController, "memoryLimit"},
    WordSource{kGcPercentGoal, kController, "gcPercentHeapGoal"},
    WordSource{kSweepMinTrigger, kController, "sweepDistMinTrigger"},
    WordSource{kTriggered, kController, "triggered"},
    WordSource{kHeapMarked, kController, "heapMarked"},
    WordSource{kNextGc, kController, "heapGoal"},
    WordSource{kNextGc, kMemstats, "next_gc"},
    WordSource{kNumGc, kMemstats, "numgc"},
    WordSource{kPauseTotalNs, kMemstats, "pause_total_ns"},
    WordSource{kTinyAllocs, kMemstats, "tinyallocs"},
    WordSource{kMspanSys, kMemstats, "mspan_sys"},
    WordSource{kMcacheSys, kMemstats, "mcache_sys"},
    WordSource{kBuckhashSys, kMemstats, "buckhash_sys"},
    WordSource{kGcSys, kMemstats, "gcMiscSys"},
    WordSource{kGcSys, kMemstats, "gc_sys"},
    WordSource{kOtherSys, kMemstats, "other_sys"},
};

struct DwarfEnd {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

// A type, and where the thing of this type is.
struct Place {
  Dwarf_Die type;
  std::uint64_t address = 0;
};

// The type of an entry, without its names.
std::optional<Dwarf_Die> type_of(Dwarf_Die entry) {
  Dwarf_Attribute attribute;
  Dwarf_Die type = entry;
  for (int step = 0; step < kTypedefsLimit; ++step) {
    Dwarf_Die next;
    if (dwarf_formref_die(dwarf_attr(&type, DW_AT_type, &attribute), &next) == nullptr) return std::nullopt;
    if (dwarf_tag(&next) != DW_TAG_typedef) return next;
    type = next;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number(Dwarf_Die entry, unsigned int name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(&entry, name, &attribute), &value) != 0) return std::nullopt;
  return value;
}

// The names of entries. libdw (0.188) hands out where a DW_FORM_string begins without a
// look at whether it ends before its section does.
class Names {
 public:
  explicit Names(Elf* elf) {
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section)) != nullptr) {
      // What libdw reads as well: kept by libelf, and uncompressed where need be.
      const Elf_Data* data = elf_rawdata(section, nullptr);
      if (data != nullptr && data->d_buf != nullptr) {
        sections_.emplace_back(static_cast<const char*>(data->d_buf), data->d_size);
      }
    }
  }

  // Empty for an entry without a sound name.
  std::string_view of(Dwarf_Die& entry) const {
    const char* name = dwarf_diename(&entry);
    if (name == nullptr) return {};
    const auto holds = [name](std::span<const char> section) {
      return std::greater_equal<>()(name, section.data()) && std::less<>()(name, section.data() + section.size());
    };
    const auto section = std::ranges::find_if(sections_, holds);
    if (section == sections_.end()) return {};
    const std::string_view rest(name, static_cast<std::size_t>(section->data() + section->size() - name));
    const std::size_t length = rest.find('\0');
    return length == std::string_view::npos ? std::string_view() : rest.substr(0, length);
  }

 private:
  std::vector<std::span<const char>> sections_;
};

class RuntimeInfo {
 public:
  explicit RuntimeInfo(Dwarf* dwarf) : dwarf_(dwarf), names_(dwarf_getelf(dwarf)) {}

  // Whether the unit of package runtime is there, and what of `variables` it has.
  Status find(std::span<const std::string_view> variables) {
    std::size_t units = 0;
    Dwarf_CU* unit = nullptr;
    Dwarf_Die root;
    while (dwarf_get_units(dwarf_, unit, &unit, nullptr, nullptr, &root, nullptr) == 0) {
      if (++units > kUnitsLimit) return fail("debug information: too many units");
      if (names_.of(root) != "runtime") continue;
      take_variables(root, variables);
      if (!variables_.empty()) return {};
    }
    return fail("debug information: nothing of package runtime");
  }

  std::optional<Place> variable(std::string_view name) const {
    for (const auto& [known, place] : variables_) {
      if (known == name) return place;
    }
    return std::nullopt;
  }

  std::optional<Place> member(const Place& whole, std::string_view name) {
    if (dwarf_tag(const_cast<Dwarf_Die*>(&whole.type)) != DW_TAG_structure_type) return std::nullopt;
    std::optional<Place> found;
    each_child(whole.type, [&](Dwarf_Die& child) {
      if (names_.of(child) != name) return true;
      const std::optional<std::uint64_t> offset = number(child, DW_AT_data_member_location);
      const std::optional<Dwarf_Die> type = type_of(child);
      if (offset && type) found = Place{*type, whole.address + *offset};
      return false;
    });
    return found;
  }

  // A number of 4 or 8 bytes; the `value` of an atomic one.
  WordPlace word(Place place) {
    if (const std::optional<Place> value = member(place, "value")) place = *value;
    if (dwarf_tag(&place.type) != DW_TAG_base_type) return {};
    const std::uint64_t bytes = number(place.type, DW_AT_byte_size).value_or(0);
    if (bytes != 4 && bytes != 8) return {};
    return {place.address, static_cast<std::uint32_t>(bytes)};
  }

 private:
  // Until `look` returns false, or the limit of all look-ups together is reached.
  template <class Look>
  void each_child(Dwarf_Die parent, const Look& look) {
    Dwarf_Die child;
    if (dwarf_child(&parent, &child) != 0) return;
    do {
      if (++entries_ > kEntriesLimit || !look(child)) return;
    } while (dwarf_siblingof(&child, &child) == 0);
  }

  void take_variables(Dwarf_Die unit, std::span<const std::string_view> wanted) {
    each_child(unit, [&](Dwarf_Die& child) {
      if (dwarf_tag(&child) != DW_TAG_variable) return true;
      const std::string_view name = names_.of(child);
      for (const std::string_view variable : wanted) {
        if (variable == name) take_variable(child, variable);
      }
      return variables_.size() < wanted.size();
    });
  }

  void take_variable(Dwarf_Die entry, std::string_view name) {
    Dwarf_Attribute attribute;
    Dwarf_Block block;
    if (dwarf_formblock(dwarf_attr(&entry, DW_AT_location, &attribute), &block) != 0) return;
    const std::span bytes(reinterpret_cast<const std::byte*>(block.data), block.length);
    const std::optional<std::uint64_t> address = load<std::uint64_t>(bytes, 1);
    if (!address || bytes.size() != 1 + sizeof(*address) || bytes[0] != std::byte{DW_OP_addr}) return;
    if (const std::optional<Dwarf_Die> type = type_of(entry)) variables_.emplace_back(name, Place{*type, *address});
  }

  Dwarf* dwarf_;
  Names names_;
  std::vector<std::pair<std::string_view, Place>> variables_;
  std::size_t entries_ = 0;
};

HeapStatsPlace heap_stats(RuntimeInfo& info, const Place& memstats) {
  const std::optional<Place> all = info.member(memstats, "heapStats");
  const std::optional<Place> sets = all ? info.member(*all, "stats") : std::nullopt;
  if (!sets) return {};
  Place set = *sets;
  if (dwarf_tag(&set.type) != DW_TAG_array_type) return {};
  const std::optional<Dwarf_Die> type = type_of(set.type);
  if (!type) return {};
  set.type = *type;
  const std::optional<std::uint64_t> bytes = number(set.type, DW_AT_byte_size);
  if (!bytes || *bytes > HeapStatsPlace::kSetBytesLimit) return {};

  const auto offset_of = [&](std::string_view name, std::uint64_t& member_bytes) {
    const std::optional<Place> place = info.member(set, name);
    member_bytes = place ? number(place->type, DW_AT_byte_size).value_or(0) : 0;
    const bool inside = place && member_bytes > 0 && member_bytes <= *bytes && member_bytes % 8 == 0 &&
                        place->address - set.address <= *bytes - member_bytes;
    if (!inside) member_bytes = 0;
    return inside ? static_cast<std::uint32_t>(place->address - set.address) : HeapStatsPlace::kAbsent;
  };
  std::uint64_t word = 0;
  std::uint64_t mallocs = 0;
  std::uint64_t frees = 0;
  HeapStatsPlace found{.address = set.address,
                       .set_bytes = static_cast<std::uint32_t>(*bytes),
                       .released = offset_of("released", word),
                       .in_heap = offset_of("inHeap", word),
                       .in_stacks = offset_of("inStacks", word),
                       .in_work_bufs = offset_of("inWorkBufs", word),
                       .in_ptr_scalar_bits = offset_of("inPtrScalarBits", word),
                       .tiny_alloc_count = offset_of("tinyAllocCount", word),
                       .large_alloc_count = offset_of("largeAllocCount", word),
                       .large_free_count = offset_of("largeFreeCount", word),
                       .small_alloc_count = offset_of("smallAllocCount", mallocs),
                       .small_free_count = offset_of("smallFreeCount", frees)};
  if (mallocs != frees) return {};
  found.size_classes = static_cast<std::uint32_t>(mallocs / 8);
  return found;
}

void find_arenas(RuntimeInfo& info, BooksLayout& layout) {
  const std::optional<Place> heap = info.variable(kHeap);
  if (!heap) return;
  std::optional<Place> slice = info.member(*heap, "heapArenas");
  if (!slice) slice = info.member(*heap, "allArenas");
  if (!slice) return;
  // A slice is a struct of the runtime's own making: array, len, cap.
  const std::optional<Place> array = info.member(*slice, "array");
  const std::optional<Place> length = info.member(*slice, "len");
  if (!array || !length) return;
  layout[kArenas] = {array->address, 8};
  layout[kArenasCount] = info.word(*length);
}

}  // namespace

Result<BooksLayout> read_dwarf(Elf* elf) {
  const std::unique_ptr<Dwarf, DwarfEnd> dwarf(dwarf_begin_elf(elf, DWARF_C_READ, nullptr));
  if (!dwarf) return fail(std::string("debug information: ") + dwarf_errmsg(-1));
  RuntimeInfo info(dwarf.get());
  constexpr std::array kVariables{kMemstats, kController, kHeap, kPercent};
  MADV_TRY(info.find(kVariables));

  BooksLayout layout;
  for (const WordSource& source : kSources) {
    const std::optional<Place> variable = info.variable(source.variable);
    if (!variable || layout[source.word].known()) continue;
    const std::optional<Place> place = source.member.empty() ? variable : info.member(*variable, source.member);
    if (place) layout[source.word] = info.word(*place);
  }
  if (const std::optional<Place> memstats = info.variable(kMemstats)) {
    layout.heap_stats = heap_stats(info, *memstats);
    // Kept up to date only where there is nothing newer.
    if (const std::optional<Place> stacks = info.member(*memstats, "stacks_inuse");
        stacks && !layout.heap_stats.known()) {
      layout[kStacksInuse] = info.word(*stacks);
    }
  }
  find_arenas(info, layout);
  if (!layout.has_heap()) return fail("debug information: package runtime has no books that are known here");
  return layout;
}

Result<BooksLayout> layout_from_dwarf(const ElfImage& image) {
  constexpr std::string_view kWhat = "debug information";
  if (!image.section(".debug_info") && !image.section(".zdebug_info")) return fail("no debug information");
  // An answer is a layout, or the text of an error.
  const auto read = [&] {
    Elf* elf = image.elf();
    const Result<BooksLayout> found =
        elf != nullptr ? read_dwarf(elf) : fail("debug information: libelf cannot read it");
    std::vector<std::byte> bytes;
    if (found) {
      bytes.resize(1 + sizeof(*found));
      std::memcpy(bytes.data() + 1, &*found, sizeof(*found));
    } else {
      const std::string& text = found.error().message;
      bytes.resize(text.size());
      std::memcpy(bytes.data(), text.data(), text.size());
    }
    return bytes;
  };
  MADV_TAKE(const std::vector<std::byte> answer, run_in_limited_child(std::string(kWhat), {}, read));
  if (const auto layout = load<BooksLayout>(answer, 1);
      layout && answer.size() == 1 + sizeof(BooksLayout) && answer.front() == std::byte{0}) {
    return *layout;
  }
  return fail(std::string(as_text(answer)));
}

}  // namespace madvtrace
