// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "base/losses.h"

namespace madvtrace {
namespace {

TEST(Losses, EveryNameLeadsBack) {
  std::set<std::string_view> names;
  for (const LossKind& loss : kLosses) {
    names.insert(loss.name);
    EXPECT_EQ(find_loss(loss_name(loss.cause)), &loss) << loss.name;
    EXPECT_EQ(loss.ring_full, loss.name.ends_with("ring_full")) << loss.name;
  }
  EXPECT_EQ(names.size(), kLosses.size());
}

TEST(Losses, OnlyMissingStacksChangeNoNumber) {
  for (const LossKind& loss : kLosses) {
    EXPECT_EQ(harm_of(loss.name) == Harm::kStacks, loss.name.starts_with("stack_")) << loss.name;
  }
}

TEST(Losses, WhatIsNotKnownDoesAllHarm) {
  EXPECT_EQ(find_loss("of_a_later_version"), nullptr);
  EXPECT_EQ(harm_of("of_a_later_version"), Harm::kRssChanges);
  EXPECT_EQ(harm_of("stack_of_a_later_version"), Harm::kRssChanges);
}

}  // namespace
}  // namespace madvtrace
