// SPDX-License-Identifier: Apache-2.0
// Programs that Go built: each rung finds the same words, or says why it finds none.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>

#include "golang/books.h"
#include "golang/books_anchors.h"
#include "golang/books_dwarf.h"
#include "golang/books_layout.h"
#include "golang/build_info.h"
#include "tests/support/elf_builder.h"

namespace madvtrace {
namespace {

constexpr std::size_t kGo119Words = 21;

ElfImage open_program(const std::string& name) {
  const std::string path = std::string(TARGETS_DIR) + "/" + name;
  auto image = ElfImage::open(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path);
  if (!image) throw std::runtime_error(image.error().message);
  return *image;
}

std::size_t known_words(const BooksLayout& layout) {
  std::size_t known = 0;
  for (const WordPlace& place : layout.words) {
    if (place.known()) ++known;
  }
  return known;
}

void expect_same(const BooksLayout& layout, const BooksLayout& truth) {
  for (std::size_t i = 0; i < kBooksWords; ++i) {
    EXPECT_EQ(layout.words[i].address, truth.words[i].address) << "word " << i;
    EXPECT_EQ(layout.words[i].bytes, truth.words[i].bytes) << "word " << i;
  }
  const HeapStatsPlace& sets = layout.heap_stats;
  const HeapStatsPlace& true_sets = truth.heap_stats;
  EXPECT_EQ(sets.address, true_sets.address);
  EXPECT_EQ(sets.set_bytes, true_sets.set_bytes);
  for (const auto member :
       {&HeapStatsPlace::released, &HeapStatsPlace::in_heap, &HeapStatsPlace::in_stacks, &HeapStatsPlace::in_work_bufs,
        &HeapStatsPlace::in_ptr_scalar_bits, &HeapStatsPlace::tiny_alloc_count, &HeapStatsPlace::large_alloc_count,
        &HeapStatsPlace::large_free_count, &HeapStatsPlace::small_alloc_count, &HeapStatsPlace::small_free_count,
        &HeapStatsPlace::size_classes}) {
    EXPECT_EQ(sets.*member, true_sets.*member);
  }
}

class BooksLadderTest : public testing::TestWithParam<const char*> {};

TEST_P(BooksLadderTest, EveryRungFindsTheSameWords) {
  const ElfImage image = open_program(GetParam());
  const auto functions = Pclntab::read(image);
  ASSERT_TRUE(functions.has_value());
  const std::optional<GoVersion> version = read_build_info(image).version;
  ASSERT_TRUE(version.has_value());

  const Result<BooksLayout> dwarf = layout_from_dwarf(image);
  ASSERT_TRUE(dwarf.has_value()) << dwarf.error().message;
  EXPECT_EQ(known_words(*dwarf), kGo119Words);
  EXPECT_EQ(dwarf->heap_stats.size_classes, 68U);
  const auto symbols = layout_from_anchors(anchors_from_symbols(image, *version), *version);
  ASSERT_TRUE(symbols.has_value()) << symbols.error().message;
  expect_same(*symbols, *dwarf);
  const auto code = layout_from_anchors(anchors_from_code(image, *version, *functions), *version);
  ASSERT_TRUE(code.has_value()) << code.error().message;
  expect_same(*code, *dwarf);
}

INSTANTIATE_TEST_SUITE_P(Programs, BooksLadderTest, testing::Values("go_plain", "go_pie", "go_cgo"),
                         [](const auto& test) { return std::string(test.param); });

TEST(BooksLadder, OfAVersionBeyondTheTableHasWhatThePatternsFind) {
  const ElfImage image = open_program("go_stripped");
  const auto functions = Pclntab::read(image);
  ASSERT_TRUE(functions.has_value());
  const auto known =
      layout_from_anchors(anchors_from_code(image, {19, 8, "go1.19.8"}, *functions), {19, 8, "go1.19.8"});
  ASSERT_TRUE(known.has_value()) << known.error().message;
  const GoVersion later{99, 0, "go1.99"};
  const auto unknown = layout_from_anchors(anchors_from_code(image, later, *functions), later);
  ASSERT_TRUE(unknown.has_value()) << unknown.error().message;
  EXPECT_FALSE(unknown->heap_stats.known());
  for (const BooksWord word : {BooksWord::kHeapInuse, BooksWord::kHeapReleased, BooksWord::kHeapFree,
                               BooksWord::kMappedReady, BooksWord::kNumGc, BooksWord::kPauseTotalNs}) {
    EXPECT_EQ((*unknown)[word].address, (*known)[word].address);
  }
  for (const BooksWord word : {BooksWord::kMemoryLimit, BooksWord::kGcPercent, BooksWord::kHeapMarked}) {
    EXPECT_TRUE((*known)[word].known());
    EXPECT_FALSE((*unknown)[word].known());
  }
}

TEST(BooksLadder, TakesTheBestRung) {
  const auto rung_of = [](const std::string& program, bool with_functions) {
    const ElfImage image = open_program(program);
    const auto functions = Pclntab::read(image);
    const auto reader = BooksReader::locate(image, read_build_info(image).version,
                                            with_functions && functions ? &*functions : nullptr, 0);
    return reader ? reader->rung() : BooksRung::kNone;
  };
  EXPECT_EQ(rung_of("go_plain", true), BooksRung::kDwarf);
  EXPECT_EQ(rung_of("books_symtab", false), BooksRung::kSymtab);
  EXPECT_EQ(rung_of("go_stripped", true), BooksRung::kCode);
  EXPECT_EQ(rung_of("go_stripped", false), BooksRung::kNone);
  EXPECT_EQ(rung_of("go_cgo_pie", true), BooksRung::kCode);
}

TEST(BooksLadder, SaysWhyThereIsNone) {
  // A C program, with symbols.
  const ElfImage image = open_program("truth");
  const auto reader = BooksReader::locate(image, std::nullopt, nullptr, 0);
  ASSERT_FALSE(reader.has_value());
  EXPECT_NE(reader.error().message.find("debug information"), std::string::npos) << reader.error().message;
  EXPECT_NE(reader.error().message.find("symbols"), std::string::npos) << reader.error().message;
  EXPECT_NE(reader.error().message.find("code"), std::string::npos) << reader.error().message;
}

TEST(BooksLadder, GarbageForDebugInformationIsAnError) {
  ElfBuilder builder;
  builder.segment(0x400000, PF_R | PF_X, std::string(64, '\0'));
  builder.section(".debug_info", std::string(64, '\x7f'));
  builder.section(".debug_abbrev", std::string(64, '\x01'));
  const auto image = ElfImage::open(anonymous_file(builder.build()), "garbage");
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_FALSE(layout_from_dwarf(*image).has_value());
}

}  // namespace
}  // namespace madvtrace
