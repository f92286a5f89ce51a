// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>

#include "model/call_assembler.h"

namespace madvtrace {
namespace {

constexpr std::int64_t kPage = 4096;
constexpr std::uint64_t kDontneed = 4;

struct Thread {
  std::uint32_t pid = 1;
  std::uint32_t tid = 1;
};

Walk walk(std::uint64_t pages) { return {.resident_pages = pages, .done = true}; }

ReleaseBegin begin(Thread thread, std::uint64_t at_ns, AddressRange range, std::uint64_t pages = 1) {
  return {.stamp = {.mono_ns = at_ns, .pid = thread.pid, .tid = thread.tid},
          .call = {.kind = CallKind::kMadvise, .args = {range.begin, range.bytes(), kDontneed}, .begin_ns = at_ns},
          .range = range,
          .walk = walk(pages)};
}
ReleaseBegin begin_of_ranges(Thread thread, std::uint64_t at_ns, AddressRange range, std::uint64_t pages) {
  ReleaseBegin event = begin(thread, at_ns, range, pages);
  event.call.kind = CallKind::kProcessMadvise;
  event.call.args = {5, 0x7fff0000, 3, kDontneed, 0, 0};
  return event;
}
ReleaseRange further(Thread thread, std::uint64_t begin_ns, AddressRange range, std::uint64_t pages) {
  return {.stamp = {.mono_ns = begin_ns, .pid = thread.pid, .tid = thread.tid},
          .begin_ns = begin_ns,
          .range = range,
          .walk = walk(pages)};
}
ReleaseEnd end(Thread thread, std::uint64_t begin_ns, std::uint64_t at_ns, std::int64_t ret = 0) {
  return {.stamp = {.mono_ns = at_ns, .pid = thread.pid, .tid = thread.tid}, .begin_ns = begin_ns, .ret = ret};
}
PlainCall plain(Thread thread, std::uint64_t begin_ns, std::uint64_t at_ns) {
  return {.stamp = {.mono_ns = at_ns, .pid = thread.pid, .tid = thread.tid},
          .call = {.kind = CallKind::kMmap, .args = {0, 0x2000, 3, 0x22, 0, 0}, .begin_ns = begin_ns},
          .ret = 0x7f0000000000};
}

TEST(CallAssembler, PairsABeginWithItsEnd) {
  CallAssembler calls;
  ReleaseBegin event = begin({10, 11}, 100, {0x1000, 0x3000}, 2);
  event.call.stack_key = 9;
  event.call.cgroup_id = 8;
  EXPECT_TRUE(calls.on_begin(event).empty());
  const auto done = calls.on_end(end({10, 11}, 100, 150, -5));
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].stack_key, 9U);
  const CallRow& row = done[0].row;
  EXPECT_EQ(row.mono_ns, 100U);
  EXPECT_EQ(row.pid, 10U);
  EXPECT_EQ(row.tid, 11U);
  EXPECT_EQ(row.cgroup_id, 8U);
  EXPECT_EQ(row.call, CallKind::kMadvise);
  EXPECT_EQ(row.advice, 4);
  EXPECT_EQ(row.addr, 0x1000U);
  EXPECT_EQ(row.len_bytes, 0x2000U);
  EXPECT_EQ(row.ret, -5);
  EXPECT_EQ(row.dur_ns, 50U);
  EXPECT_EQ(row.resident_bytes, 2 * kPage);
  EXPECT_TRUE(calls.on_trace_end().empty());
  EXPECT_EQ(calls.orphans(), 0U);
}

TEST(CallAssembler, ARowShowsTheArgumentsNotTheRange) {
  CallAssembler calls;
  ReleaseBegin event = begin({}, 100, {0x1000, 0x4000});
  event.call.args = {0x1001, 0x2fff, kDontneed, 0, 0, 0};
  calls.on_begin(event);
  const CallRow row = calls.on_end(end({}, 100, 150)).at(0).row;
  EXPECT_EQ(row.addr, 0x1001U);
  EXPECT_EQ(row.len_bytes, 0x2fffU);
}

TEST(CallAssembler, BrkShowsWhatItGaveBack) {
  CallAssembler calls;
  ReleaseBegin event = begin({}, 100, {0x5000, 0x8000});
  event.call.kind = CallKind::kBrk;
  event.call.args = {0x4ff0, 0, 0, 0, 0, 0};
  calls.on_begin(event);
  CallRow row = calls.on_end(end({}, 100, 150, 0x4ff0)).at(0).row;
  EXPECT_EQ(row.addr, 0x4ff0U);
  EXPECT_EQ(row.len_bytes, 0x3000U);
  EXPECT_EQ(row.advice, std::nullopt);
  PlainCall growing = plain({}, 200, 250);
  growing.call.kind = CallKind::kBrk;
  growing.call.args = {0x9000, 0, 0, 0, 0, 0};
  row = calls.on_plain(growing).at(0).row;
  EXPECT_EQ(row.addr, 0x9000U);
  EXPECT_EQ(row.len_bytes, std::nullopt);
}

TEST(CallAssembler, PlainCallsComeOutAtOnce) {
  CallAssembler calls;
  const auto done = calls.on_plain(plain({10, 11}, 100, 130));
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].row.call, CallKind::kMmap);
  EXPECT_EQ(done[0].row.mono_ns, 100U);
  EXPECT_EQ(done[0].row.dur_ns, 30U);
  EXPECT_EQ(done[0].row.ret, 0x7f0000000000);
}

TEST(CallAssembler, AClockThatGoesBackGivesNoDuration) {
  CallAssembler calls;
  calls.on_begin(begin({}, 100, {0x1000, 0x2000}));
  EXPECT_EQ(calls.on_end(end({}, 100, 99)).at(0).row.dur_ns, std::nullopt);
}

TEST(CallAssembler, ThreadsAreKeptApart) {
  CallAssembler calls;
  calls.on_begin(begin({1, 1}, 100, {0x1000, 0x2000}));
  calls.on_begin(begin({1, 2}, 101, {0x3000, 0x4000}));
  calls.on_begin(begin({2, 1}, 102, {0x1000, 0x2000}));
  EXPECT_EQ(calls.on_end(end({2, 1}, 102, 110)).at(0).row.mono_ns, 102U);
  EXPECT_EQ(calls.on_end(end({1, 1}, 100, 111)).at(0).row.mono_ns, 100U);
  EXPECT_EQ(calls.on_end(end({1, 2}, 101, 112)).at(0).row.mono_ns, 101U);
}

TEST(CallAssembler, TheNextCallOfAThreadEndsAnUnfinishedOne) {
  CallAssembler calls;
  calls.on_begin(begin({}, 100, {0x1000, 0x3000}, 2));
  const auto left = calls.on_begin(begin({}, 200, {0x5000, 0x6000}));
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].row.mono_ns, 100U);
  EXPECT_EQ(left[0].row.ret, std::nullopt);
  EXPECT_EQ(left[0].row.dur_ns, std::nullopt);
  EXPECT_EQ(left[0].row.resident_bytes, 2 * kPage);
  EXPECT_EQ(left[0].row.rss_delta_bytes, std::nullopt);
  EXPECT_EQ(left[0].row.quality, Quality::kBounded);
  // Unfinished first, then the call's own row.
  const auto both = calls.on_plain(plain({}, 300, 310));
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].row.mono_ns, 200U);
  EXPECT_EQ(both[0].row.ret, std::nullopt);
  EXPECT_EQ(both[1].row.mono_ns, 300U);
}

TEST(CallAssembler, AnotherThreadsCallEndsNothing) {
  CallAssembler calls;
  calls.on_begin(begin({1, 1}, 100, {0x1000, 0x2000}));
  EXPECT_EQ(calls.on_plain(plain({1, 2}, 200, 210)).size(), 1U);
  EXPECT_EQ(calls.on_plain(plain({2, 1}, 200, 210)).size(), 1U);
  EXPECT_EQ(calls.on_end(end({1, 1}, 100, 300)).at(0).row.ret, 0);
}

TEST(CallAssembler, AProcessThatIsGoneEndsAllItsCallsAndNoOthers) {
  CallAssembler calls;
  calls.on_begin(begin({2, 7}, 100, {0x1000, 0x2000}));
  calls.on_begin(begin({2, 5}, 101, {0x1000, 0x2000}));
  calls.on_begin(begin({1, 9}, 102, {0x1000, 0x2000}));
  calls.on_begin(begin({3, 1}, 103, {0x1000, 0x2000}));
  const auto left = calls.on_process_gone(2);
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].row.tid, 5U);
  EXPECT_EQ(left[1].row.tid, 7U);
  EXPECT_TRUE(calls.on_process_gone(2).empty());
  EXPECT_EQ(calls.on_trace_end().size(), 2U);
  EXPECT_TRUE(calls.on_trace_end().empty());
}

TEST(CallAssembler, EndsWithoutABeginAreOrphans) {
  CallAssembler calls;
  EXPECT_TRUE(calls.on_end(end({}, 100, 150)).empty());
  calls.on_range(further({}, 100, {0x1000, 0x2000}, 1));
  EXPECT_EQ(calls.orphans(), 2U);
}

TEST(CallAssembler, TheEndOfAnotherCallIsAnOrphanAndEndsTheOpenOne) {
  CallAssembler calls;
  calls.on_begin(begin({}, 100, {0x1000, 0x2000}));
  calls.on_range(further({}, 99, {0x5000, 0x6000}, 5));
  EXPECT_EQ(calls.orphans(), 1U);
  const auto left = calls.on_end(end({}, 200, 250));
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].row.ret, std::nullopt);
  EXPECT_EQ(left[0].row.resident_bytes, kPage);
  EXPECT_EQ(calls.orphans(), 2U);
}

TEST(CallAssembler, OverlappingReleasesBoundBoth) {
  CallAssembler calls;
  calls.on_begin(begin({1, 1}, 100, {0x1000, 0x5000}));
  calls.on_begin(begin({1, 2}, 101, {0x4000, 0x8000}));
  calls.on_begin(begin({1, 3}, 102, {0x8000, 0x9000}));  // a neighbour
  calls.on_begin(begin({2, 4}, 103, {0x1000, 0x9000}));  // of another process
  EXPECT_EQ(calls.on_end(end({1, 1}, 100, 110)).at(0).row.quality, Quality::kBounded);
  EXPECT_EQ(calls.on_end(end({1, 2}, 101, 111)).at(0).row.quality, Quality::kBounded);
  EXPECT_EQ(calls.on_end(end({1, 3}, 102, 112)).at(0).row.quality, Quality::kExact);
  EXPECT_EQ(calls.on_end(end({2, 4}, 103, 113)).at(0).row.quality, Quality::kExact);
}

TEST(CallAssembler, ReleasesOneAfterTheOtherDoNotOverlap) {
  CallAssembler calls;
  calls.on_begin(begin({1, 1}, 100, {0x1000, 0x5000}));
  EXPECT_EQ(calls.on_end(end({1, 1}, 100, 110)).at(0).row.quality, Quality::kExact);
  calls.on_begin(begin({1, 2}, 111, {0x1000, 0x5000}));
  EXPECT_EQ(calls.on_end(end({1, 2}, 111, 120)).at(0).row.quality, Quality::kExact);
}

TEST(CallAssembler, FurtherRangesOverlapToo) {
  CallAssembler calls;
  calls.on_begin(begin({1, 1}, 100, {0x9000, 0xa000}));
  calls.on_begin(begin_of_ranges({1, 2}, 101, {0x1000, 0x2000}, 1));
  calls.on_range(further({1, 2}, 101, {0x9000, 0xb000}, 1));
  EXPECT_EQ(calls.on_end(end({1, 1}, 100, 110)).at(0).row.quality, Quality::kBounded);
  EXPECT_EQ(calls.on_end(end({1, 2}, 101, 111)).at(0).row.quality, Quality::kBounded);
}

TEST(CallAssembler, SumsTheRangesOfAProcessMadvise) {
  CallAssembler calls;
  calls.on_begin(begin_of_ranges({}, 100, {0x1000, 0x2000}, 1));
  calls.on_range(further({}, 100, {0x10000, 0x14000}, 4));
  calls.on_range(further({}, 100, {0x8000, 0x8000}, 0));
  const CallRow row = calls.on_end(end({}, 100, 110, 0x5000)).at(0).row;
  EXPECT_EQ(row.call, CallKind::kProcessMadvise);
  EXPECT_EQ(row.advice, 4);
  EXPECT_EQ(row.addr, 0x1000U);
  EXPECT_EQ(row.len_bytes, 0x5000U);
  EXPECT_EQ(row.resident_bytes, 5 * kPage);
  EXPECT_EQ(row.rss_delta_bytes, -5 * kPage);
  EXPECT_EQ(row.quality, Quality::kExact);
}

TEST(CallAssembler, AnUnfinishedProcessMadviseSumsItsRangesAsWell) {
  CallAssembler calls;
  calls.on_begin(begin_of_ranges({}, 100, {0x1000, 0x2000}, 1));
  calls.on_range(further({}, 100, {0x10000, 0x14000}, 4));
  const CallRow row = calls.on_trace_end().at(0).row;
  EXPECT_EQ(row.len_bytes, 0x5000U);
  EXPECT_EQ(row.resident_bytes, 5 * kPage);
}

TEST(CallAssembler, ARangeThatWasLostMakesABound) {
  for (const int lost_before : {1, 2}) {  // before the second range, before the end
    CallAssembler calls;
    calls.on_begin(begin_of_ranges({}, 100, {0x1000, 0x2000}, 1));
    ReleaseRange second = further({}, 100, {0x10000, 0x14000}, 4);
    ReleaseEnd last = end({}, 100, 110);
    second.stamp.lost = lost_before == 1 ? 1 : 0;
    last.stamp.lost = 1;
    calls.on_range(second);
    EXPECT_EQ(calls.on_end(last).at(0).row.quality, Quality::kBounded) << lost_before;
  }
}

TEST(CallAssembler, ACallWithoutFurtherRangesLosesNoneOfThem) {
  CallAssembler calls;
  calls.on_begin(begin({}, 100, {0x1000, 0x2000}));
  ReleaseEnd last = end({}, 100, 110);
  last.stamp.lost = 7;
  EXPECT_EQ(calls.on_end(last).at(0).row.quality, Quality::kExact);
}

TEST(CallAssembler, AProcessMadviseWithoutARangeHasNoAddress) {
  CallAssembler calls;
  PlainCall remote = plain({}, 100, 110);
  remote.call.kind = CallKind::kProcessMadvise;
  remote.call.remote = true;
  const CallRow row = calls.on_plain(remote).at(0).row;
  EXPECT_EQ(row.addr, std::nullopt);
  EXPECT_EQ(row.len_bytes, std::nullopt);
  EXPECT_EQ(row.quality, std::nullopt);
}

TEST(CallAssembler, HostileRangesDoNotWrap) {
  CallAssembler calls;
  calls.on_begin(begin_of_ranges({}, 100, {0, UINT64_MAX & ~std::uint64_t{4095}}, 1));
  for (int i = 0; i < 100; ++i) calls.on_range(further({}, 100, {0, UINT64_MAX & ~std::uint64_t{4095}}, 1ULL << 45));
  EXPECT_EQ(calls.on_end(end({}, 100, 110)).size(), 1U);
}

}  // namespace
}  // namespace madvtrace
