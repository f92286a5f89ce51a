// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/go_side.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// 100 bytes become idle in the first second; 60 are given back in the third, 10 are used
// again in the fourth, 30 are left.
TEST(GoSide, WorkedByHand) {
  GoSide side;
  EXPECT_FALSE(side.known());
  side.on_sample(0, 0);
  side.on_sample(1 * kSecond, 100);
  side.on_sample(2 * kSecond, 100);
  side.on_released(60);
  side.on_sample(3 * kSecond, 40);
  side.on_sample(4 * kSecond, 30);
  side.finish();
  EXPECT_TRUE(side.known());
  EXPECT_EQ(side.released_bytes(), 60U);
  EXPECT_EQ(side.reused_bytes(), 10U);
  EXPECT_EQ(side.idle_bytes(), 30U);
  // 50 + 100 + 70 + 35 byte seconds.
  EXPECT_DOUBLE_EQ(side.idle_byte_seconds(), 255.0);
  // They became idle after second 0 and were given back before second 3.
  const auto half = side.released_after_ns(0.5);
  ASSERT_TRUE(half);
  EXPECT_GE(*half, 3 * kSecond);
  EXPECT_LT(*half, 3 * kSecond + kSecond / 4);
}

// More is given back than was idle less: so much became idle meanwhile.
TEST(GoSide, WhatComesAndGoesBetweenTwoSamplesIsSeen) {
  GoSide side;
  side.on_sample(0, 50);
  side.on_released(200);
  side.on_sample(kSecond, 50);
  side.finish();
  EXPECT_EQ(side.released_bytes(), 200U);
  EXPECT_EQ(side.reused_bytes(), 0U);
  EXPECT_EQ(side.idle_bytes(), 50U);
}

TEST(GoSide, BytesAreConserved) {
  GoSide side;
  std::uint64_t released = 0;
  std::uint64_t idle = 1000;
  side.on_sample(0, idle);
  for (std::uint64_t i = 1; i < 3 * GoSide::kPiles; ++i) {
    const std::uint64_t part = i * 7919 % 100;
    if (i % 3 == 0) {
      side.on_released(part);
      released += part;
    }
    idle = (idle + i * 104729 % 500) % 5000;
    side.on_sample(i * kSecond, idle);
  }
  side.finish();
  EXPECT_EQ(side.released_bytes(), released);
  EXPECT_EQ(side.idle_bytes(), idle);
}

TEST(GoSide, TimesThatGoBackDoNoHarm) {
  GoSide side;
  side.on_sample(5 * kSecond, 10);
  side.on_sample(1 * kSecond, ~std::uint64_t{0});
  side.on_released(~std::uint64_t{0});
  side.on_sample(2 * kSecond, 1);
  side.finish();
  EXPECT_GE(side.idle_byte_seconds(), 0.0);
}

}  // namespace
}  // namespace madvtrace
