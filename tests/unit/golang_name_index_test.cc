// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "golang/name_index.h"

namespace madvtrace {
namespace {

TEST(NameIndex, FindsTheLowestNumberThatTheFileConfirms) {
  NameIndex index;
  for (const std::uint32_t number : {9U, 4U, 7U}) index.add("main.main", number);
  index.add("main.other", 1);
  index.finish();
  EXPECT_EQ(index.find("main.main", [](std::uint32_t) { return true; }), 4U);
  EXPECT_EQ(index.find("main.main", [](std::uint32_t number) { return number > 4; }), 7U);
  EXPECT_EQ(index.find("main.main", [](std::uint32_t) { return false; }), std::nullopt);
  EXPECT_EQ(index.find("main.none", [](std::uint32_t) { return true; }), std::nullopt);
}

TEST(NameIndex, CollisionsDoNotCostForEver) {
  NameIndex index;
  for (std::uint32_t number = 0; number < 100'000; ++number) index.add("same", number);
  index.finish();
  std::size_t asked = 0;
  EXPECT_EQ(index.find("same",
                       [&](std::uint32_t) {
                         ++asked;
                         return false;
                       }),
            std::nullopt);
  EXPECT_LE(asked, 64U);
}

}  // namespace
}  // namespace madvtrace
