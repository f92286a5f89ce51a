// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/stack_table.h"
#include "tests/support/row_log.h"

namespace madvtrace {
namespace {

using Rows = std::vector<std::pair<std::uint32_t, std::string>>;

struct Table {
  test::RowLog log;
  StackTable stacks{log};

  std::optional<std::uint32_t> id_of(std::uint64_t stack_key) {
    const KnownStack* known = stacks.use(stack_key);
    return known == nullptr ? std::nullopt : std::optional(known->id);
  }
};

TEST(StackTable, NumbersStacksInTheOrderOfTheirFirstUse) {
  Table t;
  t.stacks.add({.stack_key = 50, .addresses = {0x1}});
  t.stacks.add({.stack_key = 60, .addresses = {0x2}});
  EXPECT_EQ(t.id_of(60), 1U);
  EXPECT_EQ(t.id_of(50), 2U);
  EXPECT_EQ(t.id_of(60), 1U);
}

TEST(StackTable, NoStackHasNoId) {
  Table t;
  EXPECT_EQ(t.id_of(0), std::nullopt);
  EXPECT_EQ(t.id_of(1), 1U);
}

TEST(StackTable, WithoutSymbolsAddressesComeAtTheEnd) {
  Table t;
  t.stacks.add({.stack_key = 5, .addresses = {0x46a0b1, 0x0, UINT64_MAX}});
  EXPECT_EQ(t.id_of(5), 1U);
  EXPECT_TRUE(t.log.stacks.empty());
  t.stacks.finish();
  EXPECT_EQ(t.log.stacks, (Rows{{1, "0x46a0b1;0x0;0xffffffffffffffff"}}));
}

TEST(StackTable, SymbolsThatComeAfterTheFirstUseAreGivenOutAtOnce) {
  Table t;
  t.stacks.add({.stack_key = 5, .addresses = {1}});
  EXPECT_EQ(t.id_of(5), 1U);
  t.stacks.add_frames({.stack_key = 5, .text = "f;g"});
  EXPECT_EQ(t.log.stacks, (Rows{{1, "f;g"}}));
  t.stacks.finish();
  EXPECT_EQ(t.log.stacks.size(), 1U);
}

TEST(StackTable, SymbolsThatComeBeforeTheFirstUseWaitForIt) {
  Table t;
  t.stacks.add({.stack_key = 5, .addresses = {1}});
  t.stacks.add_frames({.stack_key = 5, .text = "f;g"});
  EXPECT_TRUE(t.log.stacks.empty());
  EXPECT_EQ(t.id_of(5), 1U);
  EXPECT_EQ(t.log.stacks, (Rows{{1, "f;g"}}));
}

TEST(StackTable, EachStackIsGivenOutOnce) {
  Table t;
  t.stacks.add({.stack_key = 5, .addresses = {1}});
  EXPECT_EQ(t.id_of(5), 1U);
  t.stacks.add_frames({.stack_key = 5, .text = "f"});
  t.stacks.add({.stack_key = 5, .addresses = {2}});
  t.stacks.add_frames({.stack_key = 5, .text = "again"});
  EXPECT_EQ(t.id_of(5), 1U);
  t.stacks.finish();
  EXPECT_EQ(t.log.stacks, (Rows{{1, "f"}}));
}

TEST(StackTable, WhatIsKnownOfAStackChangesWhenItsFramesArrive) {
  Table t;
  t.stacks.add({.stack_key = 5, .addresses = {1}});
  const KnownStack* known = t.stacks.use(5);
  ASSERT_NE(known, nullptr);
  EXPECT_FALSE(known->settled);
  EXPECT_EQ(known->cause, std::nullopt);
  t.stacks.add_frames({.stack_key = 5, .text = "f", .cause = Cause::kBackground});
  EXPECT_TRUE(known->settled);
  EXPECT_EQ(known->cause, Cause::kBackground);
  EXPECT_EQ(t.stacks.use(5), known);
}

TEST(StackTable, EmptyFramesLeaveTheAddresses) {
  Table t;
  t.stacks.add({.stack_key = 5, .addresses = {0x46a0b1}});
  const KnownStack* known = t.stacks.use(5);
  ASSERT_NE(known, nullptr);
  t.stacks.add_frames({.stack_key = 5});
  EXPECT_TRUE(known->settled);
  EXPECT_EQ(known->cause, std::nullopt);
  EXPECT_EQ(t.log.stacks, (Rows{{1, "0x46a0b1"}}));
}

TEST(StackTable, WhatNoRowUsesIsNotGivenOut) {
  Table t;
  t.stacks.add({.stack_key = 5, .addresses = {1}});
  t.stacks.add({.stack_key = 6, .addresses = {1}});
  t.stacks.add_frames({.stack_key = 6, .text = "f"});
  t.stacks.finish();
  EXPECT_TRUE(t.log.stacks.empty());
}

TEST(StackTable, AStackThatWasLostStillHasAnIdAndALine) {
  Table t;
  EXPECT_EQ(t.id_of(5), 1U);
  t.stacks.finish();
  EXPECT_EQ(t.log.stacks, (Rows{{1, ""}}));
}

TEST(StackTable, AStackThatComesAfterItsFirstUseIsTaken) {
  Table t;
  EXPECT_EQ(t.id_of(5), 1U);
  t.stacks.add({.stack_key = 5, .addresses = {0xab}});
  t.stacks.finish();
  EXPECT_EQ(t.log.stacks, (Rows{{1, "0xab"}}));
}

TEST(StackTable, FramesOfAnUnknownStackAreDropped) {
  Table t;
  t.stacks.add_frames({.stack_key = 5, .text = "f"});
  t.stacks.finish();
  EXPECT_TRUE(t.log.stacks.empty());
}

TEST(StackTable, WhatIsLeftComesInTheOrderOfItsIds) {
  Table t;
  for (std::uint64_t key = 1'000; key > 0; --key) t.id_of(key);
  t.stacks.finish();
  ASSERT_EQ(t.log.stacks.size(), 1'000U);
  for (std::uint32_t i = 0; i < 1'000; ++i) EXPECT_EQ(t.log.stacks[i].first, i + 1);
}

TEST(StackTable, IsBounded) {
  Table t;
  for (std::uint64_t key = 1; key <= StackTable::kStacks; ++key) t.stacks.add({.stack_key = key, .addresses = {1}});
  EXPECT_EQ(t.stacks.overflowed(), 0U);
  EXPECT_EQ(t.id_of(UINT64_MAX), std::nullopt);
  t.stacks.add({.stack_key = UINT64_MAX, .addresses = {1}});
  EXPECT_EQ(t.stacks.overflowed(), 2U);
  EXPECT_EQ(t.id_of(StackTable::kStacks), 1U);
}

}  // namespace
}  // namespace madvtrace
