// SPDX-License-Identifier: Apache-2.0
// Cumulative incidence against tables worked by hand.
#include <gtest/gtest.h>

#include "model/delays.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

// A bucket is at most 1/16 wide.
void expect_about(std::optional<std::uint64_t> got, std::uint64_t expected_ns) {
  ASSERT_TRUE(got.has_value());
  EXPECT_GE(*got, expected_ns);
  EXPECT_LE(*got, expected_ns + expected_ns / 16);
}

TEST(Delays, OfNothingAreUnknown) {
  const Delays delays;
  EXPECT_EQ(delays.total_bytes(), 0U);
  EXPECT_FALSE(delays.left_after_ns(0.5).has_value());
}

TEST(Delays, WithoutCompetitionArePlainQuantiles) {
  Delays delays;
  for (std::uint64_t second = 1; second <= 10; ++second) delays.add(Fate::kReclaimed, second * kSecondNs, 100);
  expect_about(delays.left_after_ns(0.5), 5 * kSecondNs);
  expect_about(delays.left_after_ns(0.9), 9 * kSecondNs);
  expect_about(delays.left_after_ns(1.0), 10 * kSecondNs);
}

// 1000 bytes: 400 reclaimed after 1 s, 300 rewritten after 2 s, 300 pending after 3 s.
// Incidence of leaving: 0.4 and no more.
TEST(Delays, BytesThatNeverLeftAreNotHidden) {
  Delays delays;
  delays.add(Fate::kReclaimed, 1 * kSecondNs, 400);
  delays.add(Fate::kRewritten, 2 * kSecondNs, 300);
  delays.add(Fate::kPending, 3 * kSecondNs, 300);
  expect_about(delays.left_after_ns(0.4), 1 * kSecondNs);
  EXPECT_FALSE(delays.left_after_ns(0.41).has_value());
}

// Right-censoring: of 1000 bytes 500 are pending since 1 s only (released late). The
// other 500: 250 leave at 2 s, 250 at 4 s. Incidence at 2 s: 0.5, at 4 s: 1.
TEST(Delays, WhatIsPendingOnlyForAMomentWeighsNothingLater) {
  Delays delays;
  delays.add(Fate::kPending, 1 * kSecondNs, 500);
  delays.add(Fate::kReclaimed, 2 * kSecondNs, 250);
  delays.add(Fate::kReclaimed, 4 * kSecondNs, 250);
  expect_about(delays.left_after_ns(0.5), 2 * kSecondNs);
  expect_about(delays.left_after_ns(0.99), 4 * kSecondNs);
}

// A competing fate in between: 1000 bytes; 200 leave at 1 s (0.2); 400 of the 800 left
// are rewritten at 2 s; the 400 left then leave at 3 s: 0.2 + 0.4 = 0.6.
TEST(Delays, CompetingFatesTakeTheirShare) {
  Delays delays;
  delays.add(Fate::kFreed, 1 * kSecondNs, 200);
  delays.add(Fate::kSuperseded, 2 * kSecondNs, 400);
  delays.add(Fate::kReclaimed, 3 * kSecondNs, 400);
  expect_about(delays.left_after_ns(0.2), 1 * kSecondNs);
  expect_about(delays.left_after_ns(0.6), 3 * kSecondNs);
  EXPECT_FALSE(delays.left_after_ns(0.61).has_value());
}

TEST(Delays, AddUp) {
  Delays one;
  one.add(Fate::kReclaimed, kSecondNs, 100);
  Delays other;
  other.add(Fate::kReclaimed, 3 * kSecondNs, 300);
  one.add(other);
  EXPECT_EQ(one.bytes(Fate::kReclaimed), 400U);
  expect_about(one.left_after_ns(0.25), 1 * kSecondNs);
  expect_about(one.left_after_ns(0.26), 3 * kSecondNs);
}

}  // namespace
}  // namespace madvtrace
