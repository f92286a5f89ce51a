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
    names.insert(kCauseNames[cause]);
    EXPECT_EQ(kCauseNames.value_of(kCauseNames[cause]), cause) << kCauseNames[cause];
  }
  EXPECT_EQ(names.size(), kCauses + 1);
  EXPECT_FALSE(names.contains(""));
}

TEST(Cause, NamesAreThoseOfTheTables) {
  EXPECT_EQ(kCauseNames[Cause::kBackground], "background");
  EXPECT_EQ(kCauseNames[Cause::kRuntimeMetadata], "runtime-metadata");
  EXPECT_EQ(kCauseNames[Cause::kUnknown], "unknown");
  EXPECT_EQ(kCauseNames[Cause::kGrowthOrLimit], "heap-growth-or-memory-limit");
}

TEST(Cause, OtherNamesAreNone) {
  EXPECT_EQ(kCauseNames.value_of(""), std::nullopt);
  EXPECT_EQ(kCauseNames.value_of("Background"), std::nullopt);
  EXPECT_EQ(kCauseNames.value_of("of a later version"), std::nullopt);
}

}  // namespace
}  // namespace madvtrace
