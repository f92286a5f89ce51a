// SPDX-License-Identifier: Apache-2.0
// Debug information that Go's linker never wrote, one thing wrong at a time. What it does
// write is in golang_books_ladder_test.cc.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "golang/books_dwarf.h"
#include "tests/support/dwarf_builder.h"

namespace madvtrace {
namespace {

using enum BooksWord;

Result<BooksLayout> layout_of(const std::string& info, const std::string& abbreviations) {
  const auto image = ElfImage::open(anonymous_file(elf_with_dwarf(info, abbreviations)), "program");
  if (!image) return fail(image.error().message);
  return layout_from_dwarf(*image);
}

Result<BooksLayout> layout_of(const DwarfBuilder& dwarf) {
  return layout_of(dwarf.info(), DwarfBuilder::abbreviations());
}

TEST(BooksDwarf, FindsWordsThroughTypedefsAndAtomics) {
  const Result<BooksLayout> layout = layout_of(DwarfBuilder::runtime());
  ASSERT_TRUE(layout.has_value()) << layout.error().message;
  EXPECT_EQ((*layout)[kGcPercent].address, 0x10000U);
  EXPECT_EQ((*layout)[kGcPercent].bytes, 4U);
  EXPECT_EQ((*layout)[kHeapInuse].address, 0x10008U);
  EXPECT_EQ((*layout)[kHeapReleased].address, 0x10010U);
  EXPECT_EQ((*layout)[kHeapFree].address, 0x10018U);
  EXPECT_EQ((*layout)[kMappedReady].address, 0x10030U);
  EXPECT_EQ((*layout)[kMappedReady].bytes, 8U);
  EXPECT_EQ((*layout)[kNumGc].address, 0x11200U);
  EXPECT_EQ((*layout)[kArenas].address, 0x13080U);
  EXPECT_EQ((*layout)[kArenasCount].address, 0x13088U);
  EXPECT_FALSE((*layout)[kHeapSys].known());
  EXPECT_EQ(layout->heap_stats.address, 0x11000U);
  EXPECT_EQ(layout->heap_stats.set_bytes, 88U);
  EXPECT_EQ(layout->heap_stats.in_heap, 8U);
  EXPECT_EQ(layout->heap_stats.small_free_count, 72U);
  EXPECT_EQ(layout->heap_stats.size_classes, 2U);
  EXPECT_EQ(layout->heap_stats.in_ptr_scalar_bits, HeapStatsPlace::kAbsent);
}

TEST(BooksDwarf, NeedsPackageRuntime) {
  DwarfBuilder other("main");
  other.variable("runtime.gcController", 0x10000, other.base("uint64", 8));
  EXPECT_EQ(layout_of(other).error().message, "debug information: nothing of package runtime");
  EXPECT_FALSE(layout_of(DwarfBuilder("runtime")).has_value());
}

TEST(BooksDwarf, NeedsTheHeap) {
  DwarfBuilder dwarf("runtime");
  const auto u64 = dwarf.base("uint64", 8);
  dwarf.variable("runtime.gcController", 0x10000,
                 dwarf.structure("s", 16, {{"heapInUse", 0, u64}, {"heapReleased", 8, u64}}));
  EXPECT_EQ(layout_of(dwarf).error().message, "debug information: package runtime has no books that are known here");
}

TEST(BooksDwarf, TakesNoWordOfAnotherSize) {
  DwarfBuilder dwarf("runtime");
  const auto u64 = dwarf.base("uint64", 8);
  const auto u16 = dwarf.base("uint16", 2);
  dwarf.variable("runtime.gcController", 0x10000,
                 dwarf.structure("s", 40,
                                 {{"heapInUse", 0, u64},
                                  {"heapReleased", 8, u64},
                                  {"heapFree", 16, u64},
                                  {"mappedReady", 24, u16},
                                  {"totalAlloc", 32, dwarf.structure("t", 8, {})}}));
  const Result<BooksLayout> layout = layout_of(dwarf);
  ASSERT_TRUE(layout.has_value()) << layout.error().message;
  EXPECT_FALSE((*layout)[kMappedReady].known());
  EXPECT_FALSE((*layout)[kTotalAlloc].known());
}

TEST(BooksDwarf, TakesNoSetsThatAreTooLargeOrReachOutside) {
  for (const std::uint64_t bytes : {std::uint64_t{16}, std::uint64_t{1} << 40}) {
    DwarfBuilder dwarf("runtime");
    const auto u64 = dwarf.base("uint64", 8);
    const auto delta = dwarf.structure("delta", bytes, {{"inHeap", 8, u64}, {"released", 16, u64}});
    const auto sets = dwarf.structure("sets", 48, {{"stats", 0, dwarf.array("[3]delta", 48, delta)}});
    dwarf.variable(
        "runtime.memstats", 0x11000,
        dwarf.structure(
            "m", 99,
            {{"heapStats", 0, sets}, {"heap_sys", 56, u64}, {"heap_inuse", 64, u64}, {"heap_released", 72, u64}}));
    const Result<BooksLayout> layout = layout_of(dwarf);
    ASSERT_TRUE(layout.has_value()) << layout.error().message;
    EXPECT_EQ(layout->heap_stats.known(), bytes == 16);
    if (!layout->heap_stats.known()) continue;
    EXPECT_EQ(layout->heap_stats.in_heap, 8U);
    EXPECT_EQ(layout->heap_stats.released, HeapStatsPlace::kAbsent);
  }
}

TEST(BooksDwarf, ATypeOfItselfHasAnEnd) {
  DwarfBuilder dwarf("runtime");
  // The typedef is the next entry, and refers to itself.
  const auto before = dwarf.base("uint64", 8);
  constexpr std::uint32_t kBaseBytes = 1 + sizeof("uint64") + 1;
  const auto itself = dwarf.name_for("t", before + kBaseBytes);
  ASSERT_EQ(itself, before + kBaseBytes);
  dwarf.variable("runtime.gcController", 0x10000, itself);
  EXPECT_FALSE(layout_of(dwarf).has_value());
}

TEST(BooksDwarf, EveryCutIsAnAnswer) {
  const std::string info = DwarfBuilder::runtime().info();
  const std::string abbreviations = DwarfBuilder::abbreviations();
  ASSERT_TRUE(layout_of(info, abbreviations).has_value());
  constexpr std::size_t kStep = 37;
  for (std::size_t bytes = 0; bytes < info.size(); bytes += kStep) {
    static_cast<void>(layout_of(info.substr(0, bytes), abbreviations));
    // The length in the header right again, so that the entries are looked at.
    std::string cut = info.substr(0, std::max<std::size_t>(bytes, 11));
    put(cut, 0, static_cast<std::uint32_t>(cut.size() - 4));
    static_cast<void>(layout_of(cut, abbreviations));
  }
  for (std::size_t bytes = 0; bytes < abbreviations.size(); bytes += 3) {
    EXPECT_FALSE(layout_of(info, abbreviations.substr(0, bytes)).has_value());
  }
}

}  // namespace
}  // namespace madvtrace
