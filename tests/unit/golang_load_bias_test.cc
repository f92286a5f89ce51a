// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "golang/load_bias.h"

namespace madvtrace {
namespace {

ElfSegment segment(std::uint64_t address, std::uint64_t offset, std::uint64_t bytes) {
  return {.addresses = {address, address + bytes}, .memory_end = address + bytes, .offset = offset};
}

FileMapping mapping(std::uint64_t begin, std::uint64_t offset, std::uint64_t bytes) {
  return {.addresses = {begin, begin + bytes}, .offset = offset};
}

// Go's own linker, also with -buildmode=pie.
const std::vector<ElfSegment> kGo{segment(0x400000, 0, 0x7f000), segment(0x47f000, 0x7f000, 0x8f000),
                                  segment(0x50f000, 0x10e000, 0x3000)};
// GNU ld: the data begin in the middle of the page in which the text ends.
const std::vector<ElfSegment> kGnu{segment(0, 0, 0x4f8), segment(0x1000, 0x1000, 0x23d1),
                                   segment(0x4db8, 0x3db8, 0x900)};

TEST(LoadBias, IsZeroWhereTheLinkerSaid) {
  EXPECT_EQ(load_bias(std::vector{mapping(0x400000, 0, 0x7f000), mapping(0x47f000, 0x7f000, 0x8f000),
                                  mapping(0x50f000, 0x10e000, 0x3000)},
                      kGo),
            0U);
}

TEST(LoadBias, GoPieDoesNotBeginAtZero) {
  EXPECT_EQ(load_bias(std::vector{mapping(0x55d5c1200000, 0, 0x7f000), mapping(0x55d5c127f000, 0x7f000, 0x8f000)}, kGo),
            0x55d5c0e00000U);
}

TEST(LoadBias, SegmentsCanShareAPageOfTheFile) {
  const std::vector<FileMapping> mappings{mapping(0x7f0000001000, 0x1000, 0x3000),
                                          mapping(0x7f0000004000, 0x3000, 0x2000), mapping(0x7f0000000000, 0, 0x1000)};
  EXPECT_EQ(load_bias(mappings, kGnu), 0x7f0000000000U);
}

TEST(LoadBias, BelowTheLinkTimeAddress) {
  EXPECT_EQ(load_bias(std::vector{mapping(0x10000, 0, 0x7f000)}, kGo), std::uint64_t{0} - 0x3f0000);
}

TEST(LoadBias, SplitMappingsAgree) {
  std::vector<FileMapping> mappings;
  for (std::uint64_t at = 0; at < 0x7f000; at += 0x1000) mappings.push_back(mapping(0x7f0000000000 + at, at, 0x1000));
  EXPECT_EQ(load_bias(mappings, kGo), 0x7f0000000000U - 0x400000U);
}

TEST(LoadBias, TheFileMappedOnceMoreIsOutvoted) {
  std::vector<FileMapping> mappings{mapping(0x400000, 0, 0x7f000), mapping(0x47f000, 0x7f000, 0x8f000),
                                    mapping(0x50f000, 0x10e000, 0x3000)};
  mappings.insert(mappings.begin(), mapping(0x7f0000000000, 0, 0x111000));
  EXPECT_EQ(load_bias(mappings, kGo), 0U);
}

TEST(LoadBias, IsUnknownWhereNothingAgrees) {
  EXPECT_EQ(load_bias({}, kGo), std::nullopt);
  EXPECT_EQ(load_bias(std::vector{mapping(0x400000, 0, 0x1000)}, {}), std::nullopt);
  EXPECT_EQ(load_bias(std::vector{mapping(0x400000, 0x999000, 0x1000)}, kGo), std::nullopt);
  EXPECT_EQ(load_bias(std::vector{mapping(0x400000, 0, 0x1000), mapping(0x900000, 0, 0x1000)}, kGo), std::nullopt);
  // Not by whole pages: no kernel did that.
  EXPECT_EQ(load_bias(std::vector{mapping(0x400123, 0, 0x1000)}, kGo), std::nullopt);
}

TEST(LoadBias, NumbersMayBeAnything) {
  for (const std::uint64_t odd : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX - 1, UINT64_MAX}) {
    static_cast<void>(load_bias(std::vector{mapping(odd, odd, odd), mapping(odd, 0, odd)},
                                std::vector{segment(odd, odd, odd), segment(0, odd, 1)}));
  }
  const std::vector<FileMapping> many(100'000, mapping(0x400000, 0, 0x1000));
  EXPECT_EQ(load_bias(many, std::vector<ElfSegment>(10'000, segment(0x400000, 0, 0x1000))), 0U);
}

}  // namespace
}  // namespace madvtrace
