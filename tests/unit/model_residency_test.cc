// SPDX-License-Identifier: Apache-2.0
// Each rule of model/residency.h by a case that is worked out by hand.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "model/advice.h"
#include "model/residency.h"

namespace madvtrace {
namespace {

constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kEnomem = -12;
constexpr std::int64_t kEinval = -22;

CallFields call_of(CallKind kind, std::array<std::uint64_t, 6> args = {}) { return {.kind = kind, .args = args}; }
CallFields madvise(std::int32_t advice) {
  return call_of(CallKind::kMadvise, {0x1000, 0x10000, static_cast<std::uint64_t>(advice)});
}
Walk walk(std::uint64_t resident, std::uint64_t clean = 0, std::uint64_t swap = 0) {
  return {.resident_pages = resident, .clean_pages = clean, .swap_pages = swap, .done = true};
}
constexpr Walk kNoWalk{};

Residency release(const CallFields& call, std::int64_t ret, const Walk& before, const Walk& after = kNoWalk,
                  bool overlapped = false) {
  return residency_of_release(call, ret, before, after, overlapped);
}

TEST(Residency, OfASuccessfulReleaseNothingStays) {
  for (const CallFields& call :
       {madvise(kMadvDontneed), madvise(kMadvDontneedLocked), madvise(kMadvRemove), madvise(kMadvGuardInstall),
        call_of(CallKind::kMunmap), call_of(CallKind::kMmap, {0x1000, 0x10000, 3, 0x32}),
        call_of(CallKind::kProcessMadvise, {5, 0, 1, kMadvDontneed})}) {
    const Residency known = release(call, 0, walk(10, 4, 2));
    EXPECT_EQ(known.resident_bytes, 10 * kPage);
    EXPECT_EQ(known.lazyfree_bytes, 4 * kPage);
    EXPECT_EQ(known.swap_bytes, 2 * kPage);
    EXPECT_EQ(known.rss_delta_bytes, -10 * kPage);
    EXPECT_EQ(known.quality, Quality::kExact);
  }
}

TEST(Residency, TheAnswersOfMremapAndBrkAreAddresses) {
  EXPECT_EQ(release(call_of(CallKind::kMremap), 0x7f0000000000, walk(3)).rss_delta_bytes, -3 * kPage);
  EXPECT_EQ(release(call_of(CallKind::kBrk, {0x5000}), 0x5000, walk(3)).rss_delta_bytes, -3 * kPage);
}

TEST(Residency, AfterMadvFreeEverythingStays) {
  const Residency known = release(madvise(kMadvFree), 0, walk(10));
  EXPECT_EQ(known.resident_bytes, 10 * kPage);
  EXPECT_EQ(known.rss_delta_bytes, 0);
  EXPECT_EQ(known.quality, Quality::kExact);
}

TEST(Residency, PageoutIsWhatTheSecondLookSays) {
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10), walk(0)).rss_delta_bytes, -10 * kPage);
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10), walk(0)).quality, Quality::kExact);
  // A part of it is gone: the call's doing, or somebody's who faulted meanwhile.
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10), walk(4)).rss_delta_bytes, -6 * kPage);
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10), walk(4)).quality, Quality::kBounded);
  // Without a second look nobody knows.
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10)).rss_delta_bytes, std::nullopt);
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10)).resident_bytes, 10 * kPage);
}

TEST(Residency, AdviceThatFillsMakesRssGrow) {
  const Residency known = release(madvise(kMadvPopulateWrite), 0, walk(2), walk(16));
  EXPECT_EQ(known.rss_delta_bytes, 14 * kPage);
  EXPECT_EQ(known.quality, Quality::kBounded);
}

TEST(Residency, AReplacingMmapThatPopulatesIsWhatTheSecondLookSays) {
  for (const std::uint64_t flag : {0x8000U, 0x2000U}) {
    const CallFields call = call_of(CallKind::kMmap, {0x1000, 0x10000, 3, 0x32 | flag});
    EXPECT_EQ(release(call, 0x1000, walk(10), walk(16)).rss_delta_bytes, 6 * kPage);
    EXPECT_EQ(release(call, 0x1000, walk(10)).rss_delta_bytes, std::nullopt);
  }
}

TEST(Residency, AnErrorMayComeAfterPartOfTheWork) {
  // ENOMEM over a hole: the mapped parts are done.
  EXPECT_EQ(release(madvise(kMadvDontneed), kEnomem, walk(10), walk(0)).rss_delta_bytes, -10 * kPage);
  EXPECT_EQ(release(madvise(kMadvDontneed), kEnomem, walk(10), walk(0)).quality, Quality::kExact);
  // EINVAL at a locked mapping: only what is before it.
  const Residency part = release(madvise(kMadvDontneed), kEinval, walk(10), walk(7));
  EXPECT_EQ(part.rss_delta_bytes, -3 * kPage);
  EXPECT_EQ(part.quality, Quality::kBounded);
  // EINVAL for its arguments: nothing happened.
  const Residency nothing = release(madvise(kMadvDontneed), kEinval, walk(10), walk(10));
  EXPECT_EQ(nothing.rss_delta_bytes, 0);
  EXPECT_EQ(nothing.quality, Quality::kExact);
  // The second look is missing: unknown, not nothing.
  EXPECT_EQ(release(madvise(kMadvDontneed), kEinval, walk(10)).rss_delta_bytes, std::nullopt);
  // Nothing was there: nothing can have gone.
  EXPECT_EQ(release(madvise(kMadvDontneed), kEinval, walk(0)).rss_delta_bytes, 0);
}

TEST(Residency, AFailedMadvFreeLeavesItsPagesAsTheSecondLookSays) {
  EXPECT_EQ(release(madvise(kMadvFree), kEnomem, walk(10), walk(10)).rss_delta_bytes, 0);
}

TEST(Residency, ABreakThatWasRefusedIsAFailure) {
  EXPECT_EQ(release(call_of(CallKind::kBrk, {0x5000}), 0x9000, walk(3), walk(3)).rss_delta_bytes, 0);
  EXPECT_EQ(release(call_of(CallKind::kBrk, {0x5000}), 0x9000, walk(3)).rss_delta_bytes, std::nullopt);
}

TEST(Residency, WhatFails) {
  EXPECT_TRUE(call_failed(madvise(kMadvFree), -1));
  EXPECT_TRUE(call_failed(madvise(kMadvFree), -4095));
  EXPECT_FALSE(call_failed(madvise(kMadvFree), 0));
  // An address in the upper half is none of a program's, but no error either.
  EXPECT_FALSE(call_failed(call_of(CallKind::kMmap), -4096));
  EXPECT_TRUE(call_failed(call_of(CallKind::kBrk, {0x5000}), 0x4000));
  EXPECT_FALSE(call_failed(call_of(CallKind::kBrk, {0x5000}), 0x5000));
}

TEST(Residency, WithoutAFirstLookNothingIsKnown) {
  const Residency known = release(madvise(kMadvDontneed), 0, kNoWalk, walk(0));
  EXPECT_EQ(known.resident_bytes, std::nullopt);
  EXPECT_EQ(known.lazyfree_bytes, std::nullopt);
  EXPECT_EQ(known.swap_bytes, std::nullopt);
  EXPECT_EQ(known.rss_delta_bytes, std::nullopt);
  EXPECT_EQ(known.quality, std::nullopt);
}

TEST(Residency, ACappedLookIsABound) {
  Walk before = walk(10, 1);
  before.capped = true;
  EXPECT_EQ(release(madvise(kMadvDontneed), 0, before).quality, Quality::kBounded);
  EXPECT_EQ(release(madvise(kMadvDontneed), 0, before).rss_delta_bytes, -10 * kPage);
  Walk after = walk(0);
  after.capped = true;
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10), after).quality, Quality::kBounded);
}

TEST(Residency, ASampledLookKnowsOnlyResidency) {
  Walk before = walk(10, 5, 5);
  before.sampled = true;
  before.clean_unknown = true;
  const Residency known = release(madvise(kMadvDontneed), 0, before);
  EXPECT_EQ(known.resident_bytes, 10 * kPage);
  EXPECT_EQ(known.lazyfree_bytes, std::nullopt);
  EXPECT_EQ(known.swap_bytes, std::nullopt);
  EXPECT_EQ(known.rss_delta_bytes, -10 * kPage);
  EXPECT_EQ(known.quality, Quality::kSampled);
  Walk after = walk(2);
  after.sampled = true;
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(10), after).quality, Quality::kSampled);
  // A bound on top makes it no better.
  EXPECT_EQ(release(madvise(kMadvPageout), 0, before, walk(4), true).quality, Quality::kSampled);
}

TEST(Residency, CleanPagesOfAFileAreNotLazilyFreed) {
  Walk before = walk(10, 4);
  before.file = true;
  EXPECT_EQ(release(madvise(kMadvDontneed), 0, before).lazyfree_bytes, 0);
  before.file = false;
  before.clean_unknown = true;
  EXPECT_EQ(release(madvise(kMadvDontneed), 0, before).lazyfree_bytes, std::nullopt);
  before.clean_pages = 0;  // then there is nothing that could be
  EXPECT_EQ(release(madvise(kMadvDontneed), 0, before).lazyfree_bytes, 0);
}

TEST(Residency, OverlapsAndMissingRangesMakeABound) {
  EXPECT_EQ(release(madvise(kMadvDontneed), 0, walk(10), kNoWalk, true).quality, Quality::kBounded);
  CallFields call = madvise(kMadvDontneed);
  call.ranges_missing = true;
  EXPECT_EQ(release(call, 0, walk(10)).quality, Quality::kBounded);
}

TEST(Residency, WhatNeverReturnedSaysWhatWasThere) {
  const Residency known = residency_of_unfinished(walk(10, 1, 2));
  EXPECT_EQ(known.resident_bytes, 10 * kPage);
  EXPECT_EQ(known.lazyfree_bytes, kPage);
  EXPECT_EQ(known.swap_bytes, 2 * kPage);
  EXPECT_EQ(known.rss_delta_bytes, std::nullopt);
  EXPECT_EQ(known.quality, Quality::kBounded);
  EXPECT_EQ(residency_of_unfinished(kNoWalk).quality, std::nullopt);
}

TEST(Residency, APlainCallMovesNothing) {
  const Residency known = residency_of_plain(call_of(CallKind::kMmap), 0x7f0000000000, kNoWalk);
  EXPECT_EQ(known.resident_bytes, std::nullopt);
  EXPECT_EQ(known.rss_delta_bytes, 0);
  EXPECT_EQ(known.quality, Quality::kExact);
}

TEST(Residency, APlainCallThatPopulatesIsWhatTheLookSays) {
  Walk after = walk(16);
  EXPECT_EQ(residency_of_plain(call_of(CallKind::kMmap), 0x1000, after).rss_delta_bytes, 16 * kPage);
  EXPECT_EQ(residency_of_plain(call_of(CallKind::kMmap), 0x1000, after).quality, Quality::kExact);
  after.capped = true;
  EXPECT_EQ(residency_of_plain(call_of(CallKind::kMmap), 0x1000, after).quality, Quality::kBounded);
  after.sampled = true;
  EXPECT_EQ(residency_of_plain(call_of(CallKind::kMmap), 0x1000, after).quality, Quality::kSampled);
  EXPECT_EQ(residency_of_plain(call_of(CallKind::kMmap), kEnomem, walk(16)).rss_delta_bytes, 0);
}

TEST(Residency, OfAnotherProcessNothingIsKnown) {
  CallFields call = call_of(CallKind::kProcessMadvise);
  call.remote = true;
  EXPECT_EQ(residency_of_plain(call, 0, walk(3)).rss_delta_bytes, std::nullopt);
  EXPECT_EQ(residency_of_plain(call, kEinval, kNoWalk).quality, std::nullopt);
}

TEST(Residency, AdviceComesFromTheRightArgument) {
  EXPECT_EQ(advice_of(madvise(kMadvFree)), kMadvFree);
  EXPECT_EQ(advice_of(call_of(CallKind::kProcessMadvise, {1, 2, 3, 8})), 8);
  EXPECT_EQ(advice_of(call_of(CallKind::kMunmap, {1, 2, 8, 8})), std::nullopt);
  // The kernel takes an int.
  EXPECT_EQ(advice_of(call_of(CallKind::kMadvise, {0, 0, 0x1'0000'0004})), 4);
}

TEST(Walk, SumsCounts) {
  Walk left = walk(1, 2, 3);
  left.huge_pages = 4;
  Walk right = walk(10, 20, 30);
  right.huge_pages = 40;
  const Walk sum = left + right;
  EXPECT_EQ(sum.resident_pages, 11U);
  EXPECT_EQ(sum.clean_pages, 22U);
  EXPECT_EQ(sum.swap_pages, 33U);
  EXPECT_EQ(sum.huge_pages, 44U);
  EXPECT_TRUE(sum.done);
  EXPECT_FALSE(sum.capped || sum.sampled || sum.file || sum.clean_unknown);
}

TEST(Walk, WhatOnePartDoesNotKnowTheSumDoesNot) {
  EXPECT_FALSE((walk(1) + kNoWalk).done);
  EXPECT_FALSE((kNoWalk + walk(1)).done);
  for (bool Walk::*flag : {&Walk::capped, &Walk::sampled, &Walk::clean_unknown}) {
    Walk part = walk(1);
    part.*flag = true;
    EXPECT_TRUE((part + walk(1)).*flag);
    EXPECT_TRUE((walk(1) + part).*flag);
  }
}

TEST(Walk, CleanPagesOfAFileAndOfMemoryDoNotMix) {
  Walk file = walk(5, 3);
  file.file = true;
  EXPECT_TRUE((file + file).file);
  EXPECT_TRUE((file + walk(5, 2)).clean_unknown);
  EXPECT_TRUE((walk(5, 2) + file).clean_unknown);
  // Clean pages on one side only are of that side.
  EXPECT_EQ(residency_of_unfinished(file + walk(5)).lazyfree_bytes, 0);
  EXPECT_EQ(residency_of_unfinished(walk(5) + file).lazyfree_bytes, 0);
  Walk dirty_file = walk(5);
  dirty_file.file = true;
  EXPECT_EQ(residency_of_unfinished(dirty_file + walk(5, 2)).lazyfree_bytes, 2 * kPage);
  EXPECT_EQ(residency_of_unfinished(walk(5, 2) + dirty_file).lazyfree_bytes, 2 * kPage);
}

TEST(Walk, AHostileSumDoesNotOverflow) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 45;
  Walk sum = walk(kMost, kMost, kMost);
  for (int i = 0; i < 10'000; ++i) sum = sum + walk(kMost, kMost, kMost);
  EXPECT_EQ(sum.resident_pages, kMost);
  EXPECT_EQ(release(madvise(kMadvDontneed), 0, sum).rss_delta_bytes, -(std::int64_t{1} << 57));
  EXPECT_EQ(release(madvise(kMadvPageout), 0, walk(0), sum).rss_delta_bytes, std::int64_t{1} << 57);
}

}  // namespace
}  // namespace madvtrace
