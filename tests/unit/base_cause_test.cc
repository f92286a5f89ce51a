// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "base/cause.h"

namespace madvtrace {
namespace {

TEST(Cause, EveryNameLeadsBack) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i <= kCauses; ++i) {
    const auto cause = static_cast<Cause>(i);
    names.insert(cause_name(cause));
    EXPECT_EQ(cause_named(cause_name(cause)), cause) << cause_name(cause);
  }
  EXPECT_EQ(names.size(), kCauses + 1);
  EXPECT_FALSE(names.contains(""));
}

TEST(Cause, NamesAreThoseOfTheTables) {
  EXPECT_EQ(cause_name(Cause::kBackground), "background");
  EXPECT_EQ(cause_name(Cause::kRuntimeMetadata), "runtime-metadata");
  EXPECT_EQ(cause_name(Cause::kUnknown), "unknown");
  EXPECT_EQ(cause_name(Cause::kGrowthOrLimit), "heap-growth-or-memory-limit");
}

TEST(Cause, OtherNamesAreNone) {
  EXPECT_EQ(cause_named(""), std::nullopt);
  EXPECT_EQ(cause_named("Background"), std::nullopt);
  EXPECT_EQ(cause_named("of a later version"), std::nullopt);
}

}  // namespace
}  // namespace madvtrace
