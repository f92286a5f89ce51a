// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "golang/little_endian.h"
#include "golang/pointer_scan.h"
#include "tests/support/elf_builder.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kWanted = 0x1122334455667788;

ElfImage image_of(const std::string& bytes) { return *ElfImage::open(anonymous_file(bytes), "file"); }

Pointers find(const ElfBuilder& elf, std::size_t limit = 100) {
  return find_pointers(image_of(elf.build()), limit, [](std::uint64_t value) { return value == kWanted; });
}

TEST(PointerScan, FindsAlignedWordsOfDataThatCanBeWritten) {
  ElfBuilder elf;
  const std::string word = ByteWriter().add(kWanted).bytes();
  elf.segment(0x1000, PF_R | PF_X, word);
  elf.segment(0x2000, PF_R, word);
  // Aligned by address: not at 0x3004, but at 0x3008 and 0x3018.
  elf.segment(0x3004, PF_R | PF_W, "1234" + word + "1234" + "5678" + word + "1234" + word + "cut off");
  const Pointers found = find(elf);
  EXPECT_EQ(found.places, (std::vector<std::uint64_t>{0x3008, 0x3018}));
  EXPECT_TRUE(found.all);
}

TEST(PointerScan, RelocationsCountOnce) {
  ElfBuilder elf;
  elf.type = ET_DYN;
  elf.segment(0x3000, PF_R | PF_W, std::string(16, '\0') + ByteWriter().add(kWanted).bytes());
  elf.relocation(0x3010, kWanted);
  elf.relocation(0x3000, kWanted);
  EXPECT_EQ(find(elf).places, (std::vector<std::uint64_t>{0x3000, 0x3010}));
}

TEST(PointerScan, SaysWhenThereAreMore) {
  ElfBuilder elf;
  ByteWriter words;
  for (int number = 0; number < 5; ++number) words.add(kWanted);
  elf.segment(0x3000, PF_R | PF_W, words.bytes());
  EXPECT_TRUE(find(elf, 5).all);
  EXPECT_FALSE(find(elf, 4).all);
  EXPECT_EQ(find(elf, 4).places.size(), 4U);
}

TEST(PointerScan, NothingIsCutInTwo) {
  constexpr std::string_view kText = "sixteen bytes of";
  constexpr std::size_t kBytes = std::size_t{3} << 20;
  for (std::size_t before = 0; before <= kText.size(); ++before) {
    ElfBuilder elf;
    std::string bytes(kBytes, ' ');
    bytes.replace((std::size_t{2} << 20) - before, kText.size(), kText);
    elf.segment(0x10000000, PF_R, bytes);
    std::size_t seen = 0;
    EXPECT_TRUE(each_piece(
        image_of(elf.build()), [](const ElfSegment&) { return true; },
        [&](std::uint64_t address, std::span<const std::byte> piece) {
          const std::size_t at = as_text(piece).find(kText);
          if (at != std::string_view::npos) {
            EXPECT_EQ(address + at, 0x10000000 + (std::uint64_t{2} << 20) - before);
            ++seen;
          }
          return true;
        }));
    EXPECT_GE(seen, 1U) << before;
  }
}

// Segments may overlap in the file, so that a small one is a program of any size.
TEST(PointerScan, EndsSomewhere) {
  constexpr std::uint64_t kSegmentBytes = std::uint64_t{8} << 20;
  constexpr std::size_t kSegments = 40;
  ElfBuilder elf;
  for (std::size_t number = 0; number < kSegments; ++number) elf.segment(number << 32, PF_R, "x");
  std::string bytes = elf.build();
  bytes.resize(kSegmentBytes);
  for (std::size_t number = 0; number < kSegments; ++number) {
    const std::size_t header = sizeof(Elf64_Ehdr) + number * sizeof(Elf64_Phdr);
    put<std::uint64_t>(bytes, header + offsetof(Elf64_Phdr, p_offset), 0);
    put(bytes, header + offsetof(Elf64_Phdr, p_filesz), kSegmentBytes);
    put(bytes, header + offsetof(Elf64_Phdr, p_memsz), kSegmentBytes);
  }
  std::uint64_t seen_bytes = 0;
  EXPECT_FALSE(each_piece(
      image_of(bytes), [](const ElfSegment&) { return true; },
      [&](std::uint64_t, std::span<const std::byte> piece) {
        seen_bytes += piece.size();
        return true;
      }));
  EXPECT_LE(seen_bytes, kScanLimitBytes);
  EXPECT_GT(seen_bytes, kScanLimitBytes / 2);
}

}  // namespace
}  // namespace madvtrace
