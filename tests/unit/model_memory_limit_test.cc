// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/memory_limit.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST(MemoryLimit, NearFromNinetyPercentOn) {
  EXPECT_TRUE(near_memory_limit(100 * kMiB, 100 * kMiB));
  EXPECT_TRUE(near_memory_limit(100 * kMiB, 90 * kMiB));
  EXPECT_FALSE(near_memory_limit(100 * kMiB, 90 * kMiB - 1));
  EXPECT_FALSE(near_memory_limit(100 * kMiB, 0));
}

// A limit below what the program cannot do without.
TEST(MemoryLimit, NearWhenFarOverIt) {
  EXPECT_TRUE(near_memory_limit(10 * kMiB, 500 * kMiB));
  EXPECT_TRUE(near_memory_limit(0, 1));
}

TEST(MemoryLimit, NoLimitIsNeverNear) {
  EXPECT_FALSE(near_memory_limit(kNoGoMemoryLimit, kNoGoMemoryLimit));
  EXPECT_FALSE(near_memory_limit(UINT64_MAX, UINT64_MAX));
  EXPECT_TRUE(near_memory_limit(kNoGoMemoryLimit - 1, kNoGoMemoryLimit));
}

TEST(MemoryLimit, WhatIsNotKnownIsNotNear) {
  EXPECT_FALSE(near_memory_limit(std::nullopt, 100 * kMiB));
  EXPECT_FALSE(near_memory_limit(100 * kMiB, std::nullopt));
  EXPECT_FALSE(near_memory_limit(std::nullopt, std::nullopt));
}

}  // namespace
}  // namespace madvtrace
