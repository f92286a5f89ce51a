// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>

#include "base/page_range.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kLastPage = UINT64_MAX - (kPageBytes - 1);

TEST(Page, RoundsDownAndUp) {
  EXPECT_EQ(page_floor(0), 0U);
  EXPECT_EQ(page_floor(4095), 0U);
  EXPECT_EQ(page_floor(4096), 4096U);
  EXPECT_EQ(page_ceil(0), 0U);
  EXPECT_EQ(page_ceil(1), 4096U);
  EXPECT_EQ(page_ceil(4096), 4096U);
  EXPECT_EQ(page_ceil(4097), 8192U);
}

TEST(Page, DoesNotWrapAtTheTop) {
  EXPECT_EQ(page_floor(UINT64_MAX), kLastPage);
  EXPECT_EQ(page_ceil(kLastPage), kLastPage);
  EXPECT_EQ(page_ceil(kLastPage + 1), kLastPage);
  EXPECT_EQ(page_ceil(UINT64_MAX), kLastPage);
}

TEST(AddressRange, OfACallIsWholePages) {
  EXPECT_EQ(AddressRange::of_call(0x1000, 0x2000), (AddressRange{0x1000, 0x3000}));
  EXPECT_EQ(AddressRange::of_call(0x1000, 1), (AddressRange{0x1000, 0x2000}));
  EXPECT_EQ(AddressRange::of_call(0x1fff, 2), (AddressRange{0x1000, 0x3000}));
  EXPECT_TRUE(AddressRange::of_call(0x1000, 0).empty());
}

TEST(AddressRange, OfAHostileCallSaturates) {
  const AddressRange all = AddressRange::of_call(0x1000, UINT64_MAX);
  EXPECT_EQ(all, (AddressRange{0x1000, kLastPage}));
  EXPECT_EQ(all.bytes(), kLastPage - 0x1000);
  const AddressRange top = AddressRange::of_call(UINT64_MAX, UINT64_MAX);
  EXPECT_TRUE(top.empty());
  EXPECT_EQ(top.bytes(), 0U);
}

TEST(AddressRange, IsEmptyWhenItEndsWhereItBegins) {
  EXPECT_TRUE((AddressRange{}).empty());
  EXPECT_TRUE((AddressRange{8192, 4096}).empty());
  EXPECT_EQ((AddressRange{8192, 4096}).bytes(), 0U);
  EXPECT_FALSE((AddressRange{4096, 4097}).empty());
  EXPECT_EQ((AddressRange{4096, 12288}).bytes(), 8192U);
}

TEST(AddressRange, NeighboursDoNotOverlap) {
  const AddressRange range{0x2000, 0x4000};
  EXPECT_FALSE(range.overlaps({0x0000, 0x2000}));
  EXPECT_FALSE(range.overlaps({0x4000, 0x5000}));
  EXPECT_TRUE(range.overlaps({0x1000, 0x3000}));
  EXPECT_TRUE(range.overlaps({0x3fff, 0x9000}));
  EXPECT_TRUE(range.overlaps({0x2800, 0x2900}));
  EXPECT_TRUE((AddressRange{0x2800, 0x2900}).overlaps(range));
}

TEST(AddressRange, IntersectsInBothDirections) {
  const AddressRange range{0x2000, 0x4000};
  const AddressRange later{0x3000, 0x9000};
  EXPECT_EQ(range.intersection(later), (AddressRange{0x3000, 0x4000}));
  EXPECT_EQ(later.intersection(range), (AddressRange{0x3000, 0x4000}));
  EXPECT_EQ(range.intersection({0x2800, 0x2900}), (AddressRange{0x2800, 0x2900}));
  EXPECT_TRUE(range.intersection({0x4000, 0x5000}).empty());
  EXPECT_TRUE(range.intersection({0x8000, 0x9000}).empty());
}

}  // namespace
}  // namespace madvtrace
