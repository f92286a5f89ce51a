// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "procfs/smaps_rollup.h"

namespace madvtrace {
namespace {

// 6.18.
constexpr std::string_view kRollup =
    "5555634f4000-7ffd171c2000 ---p 00000000 00:00 0                          [rollup]\n"
    "Rss:              271748 kB\n"
    "Pss:              270476 kB\n"
    "Pss_Dirty:        270112 kB\n"
    "Pss_Anon:         270112 kB\n"
    "Pss_File:            364 kB\n"
    "Pss_Shmem:             0 kB\n"
    "Shared_Clean:       1572 kB\n"
    "Shared_Dirty:          0 kB\n"
    "Private_Clean:        64 kB\n"
    "Private_Dirty:    270112 kB\n"
    "Referenced:       271748 kB\n"
    "Anonymous:        270112 kB\n"
    "KSM:                   0 kB\n"
    "LazyFree:          65536 kB\n"
    "AnonHugePages:    131072 kB\n"
    "ShmemPmdMapped:        0 kB\n"
    "FilePmdMapped:         0 kB\n"
    "Shared_Hugetlb:        0 kB\n"
    "Private_Hugetlb:       0 kB\n"
    "Swap:                 20 kB\n"
    "SwapPss:              12 kB\n"
    "Locked:                0 kB\n";

TEST(ProcSmapsRollup, SaysTheTotalsInBytes) {
  const std::optional<SmapsRollup> rollup = parse_smaps_rollup(kRollup);
  ASSERT_TRUE(rollup);
  EXPECT_EQ(rollup->rss_bytes, 271748U * 1024);
  EXPECT_EQ(rollup->anonymous_bytes, 270112U * 1024);
  EXPECT_EQ(rollup->lazyfree_bytes, 65536U * 1024);
  EXPECT_EQ(rollup->swap_bytes, 20U * 1024);
  EXPECT_EQ(rollup->anon_huge_bytes, 131072U * 1024);
}

TEST(ProcSmapsRollup, WhatIsNotPrintedIsUnknown) {
  const std::optional<SmapsRollup> rollup = parse_smaps_rollup("Rss: 4 kB\nLazyFree: x kB\nSwap: 18014398509481984 kB");
  ASSERT_TRUE(rollup);
  EXPECT_EQ(rollup->rss_bytes, 4096U);
  EXPECT_EQ(rollup->lazyfree_bytes, std::nullopt);
  EXPECT_EQ(rollup->swap_bytes, std::nullopt);
  EXPECT_EQ(rollup->anonymous_bytes, std::nullopt);
}

TEST(ProcSmapsRollup, NeedsTheRss) {
  EXPECT_FALSE(parse_smaps_rollup(""));
  EXPECT_FALSE(parse_smaps_rollup("Pss: 4 kB\n"));
  EXPECT_FALSE(parse_smaps_rollup("Rss: 4"));
  EXPECT_FALSE(parse_smaps_rollup("Rss: 18014398509481984 kB\n"));
  EXPECT_FALSE(parse_smaps_rollup(std::string(10'000'000, '\0')));
}

}  // namespace
}  // namespace madvtrace
