// SPDX-License-Identifier: Apache-2.0
// Causes of RSS changes: single cases, worked out by hand, and random streams of which the
// rows have to add up to what was counted.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "model/rss_ledger.h"
#include "model/trace.h"
#include "tests/support/row_log.h"

namespace madvtrace {
namespace {

using test::RowLog;

constexpr std::uint32_t kPid = 7;
constexpr std::uint64_t kMsNs = 1'000'000;

class RssLedgerTest : public testing::Test {
 protected:
  RssLedgerTest() { trace.apply(RunInfo{.tier = "exact", .started_mono_ns = 0, .started_utc_ns = 1'000}); }

  Stamp at(std::uint64_t ms, std::uint32_t pid = kPid) const {
    return {.mono_ns = ms * kMsNs, .pid = pid, .tid = 0, .lost = lost};
  }
  void begin(std::uint64_t ms, const RssPages& pages) { trace.apply(RssBegin{.stamp = at(ms), .pages = pages}); }
  void changes(std::uint64_t ms, RssCause cause, const RssPages& gained, const RssPages& lost_pages,
               std::optional<Reclaimer> by = std::nullopt) {
    trace.apply(RssChanges{.stamp = at(ms), .cause = cause, .by = by, .gained = gained, .lost = lost_pages});
  }
  const RssTotals& totals() {
    trace.finish();
    return trace.totals().processes.at(0).rss;
  }

  std::uint64_t lost = 0;
  RowLog log;
  Trace trace{log};
};

TEST_F(RssLedgerTest, ARowIsWhatOneCauseDidSinceItsLastRow) {
  begin(0, {.file = 10, .anon = 20});
  changes(1'000, RssCause::kFault, {.file = 1, .anon = 5, .shmem = 2}, {.anon = 1});
  changes(2'000, RssCause::kFault, {.file = 1, .anon = 9, .shmem = 2}, {.anon = 1, .shmem = 1});
  ASSERT_EQ(log.rss.size(), 2U);
  EXPECT_EQ(log.rss[0].mono_ns, 1'000 * kMsNs);
  EXPECT_EQ(log.rss[0].ts_ns, 1'000 * kMsNs + 1'000);
  EXPECT_EQ(log.rss[0].pid, kPid);
  EXPECT_EQ(log.rss[0].cause, RssCause::kFault);
  EXPECT_EQ(log.rss[0].by, std::nullopt);
  EXPECT_EQ(log.rss[0].gained_bytes, 8 * kPageBytes);
  EXPECT_EQ(log.rss[0].lost_bytes, 1 * kPageBytes);
  EXPECT_EQ(log.rss[0].rss_delta_bytes(), 7 * 4096);
  EXPECT_EQ(log.rss[0].anon_delta_bytes, 4 * 4096);
  EXPECT_EQ(log.rss[0].file_delta_bytes, 1 * 4096);
  EXPECT_EQ(log.rss[0].shmem_delta_bytes, 2 * 4096);
  EXPECT_EQ(log.rss[0].swap_delta_bytes, 0);
  EXPECT_EQ(log.rss[0].quality, Quality::kBounded);
  EXPECT_EQ(log.rss[1].gained_bytes, 4 * kPageBytes);
  EXPECT_EQ(log.rss[1].lost_bytes, 1 * kPageBytes);
  EXPECT_EQ(log.rss[1].anon_delta_bytes, 4 * 4096);
  EXPECT_EQ(log.rss[1].file_delta_bytes, 0);
  EXPECT_EQ(log.rss[1].shmem_delta_bytes, -4096);
  EXPECT_EQ(totals().start_rss_bytes, 30 * kPageBytes);
  EXPECT_EQ(totals().start_swap_bytes, 0U);
  ASSERT_EQ(totals().sources.size(), 1U);
  const auto& faults = totals().sources.at({RssCause::kFault, std::nullopt});
  EXPECT_EQ(faults.gained_bytes, 12 * kPageBytes);
  EXPECT_EQ(faults.lost_bytes, 2 * kPageBytes);
}

TEST_F(RssLedgerTest, SwapStandsOnItsOwn) {
  begin(0, {.anon = 20, .swap = 3});
  changes(1'000, RssCause::kReclaim, {.swap = 8}, {.anon = 8}, Reclaimer::kKswapd);
  changes(1'000, RssCause::kFault, {.anon = 2}, {.swap = 2});
  ASSERT_EQ(log.rss.size(), 2U);
  EXPECT_EQ(log.rss[0].by, Reclaimer::kKswapd);
  EXPECT_EQ(log.rss[0].gained_bytes, 0U);
  EXPECT_EQ(log.rss[0].lost_bytes, 8 * kPageBytes);
  EXPECT_EQ(log.rss[0].swap_delta_bytes, 8 * 4096);
  EXPECT_EQ(log.rss[1].gained_bytes, 2 * kPageBytes);
  EXPECT_EQ(log.rss[1].swap_delta_bytes, -2 * 4096);
  EXPECT_EQ(totals().start_rss_bytes, 20 * kPageBytes);
  EXPECT_EQ(totals().start_swap_bytes, 3 * kPageBytes);
  EXPECT_EQ(totals().sources.at({RssCause::kReclaim, Reclaimer::kKswapd}).swap_delta_bytes, 8 * 4096);
}

TEST_F(RssLedgerTest, NothingChangedIsNoRow) {
  begin(0, {.anon = 20});
  changes(1'000, RssCause::kFault, {.anon = 1}, {});
  changes(2'000, RssCause::kFault, {.anon = 1}, {});
  changes(2'000, RssCause::kRelease, {}, {});
  EXPECT_EQ(log.rss.size(), 1U);
  // What came and went is a change of RSS, and one that came to nothing.
  changes(3'000, RssCause::kFault, {.anon = 4}, {.anon = 3});
  ASSERT_EQ(log.rss.size(), 2U);
  EXPECT_EQ(log.rss[1].rss_delta_bytes(), 0);
}

TEST_F(RssLedgerTest, CausesAndReclaimersAreApart) {
  begin(0, {.anon = 100});
  for (const RssCause cause :
       {RssCause::kFault, RssCause::kRelease, RssCause::kKhugepaged, RssCause::kOomReaper, RssCause::kOther}) {
    changes(1'000, cause, {.anon = 1}, {});
  }
  for (const Reclaimer by : {Reclaimer::kKswapd, Reclaimer::kMemcg, Reclaimer::kDirect, Reclaimer::kDamon,
                             Reclaimer::kOther, Reclaimer::kSelf}) {
    changes(1'000, RssCause::kReclaim, {}, {.anon = 1}, by);
  }
  EXPECT_EQ(log.rss.size(), 11U);
  EXPECT_EQ(totals().sources.size(), 11U);
  for (const RssRow& row : log.rss) EXPECT_EQ(row.gained_bytes + row.lost_bytes, kPageBytes);
}

TEST_F(RssLedgerTest, WhatIsLeftLeavesByExit) {
  begin(0, {.file = 10, .anon = 20, .swap = 1, .shmem = 3});
  changes(1'000, RssCause::kFault, {.file = 2, .anon = 30}, {});
  changes(1'000, RssCause::kRelease, {}, {.anon = 15, .shmem = 3});
  changes(1'000, RssCause::kReclaim, {.swap = 4}, {.file = 5, .anon = 4}, Reclaimer::kMemcg);
  trace.apply(Exit{.stamp = at(1'500)});
  ASSERT_EQ(log.rss.size(), 4U);
  const RssRow& exit = log.rss[3];
  EXPECT_EQ(exit.mono_ns, 1'500 * kMsNs);
  EXPECT_EQ(exit.cause, RssCause::kExit);
  EXPECT_EQ(exit.by, std::nullopt);
  EXPECT_EQ(exit.gained_bytes, 0U);
  EXPECT_EQ(exit.lost_bytes, 38 * kPageBytes);  // 7 of files, 31 anonymous
  EXPECT_EQ(exit.file_delta_bytes, -7 * 4096);
  EXPECT_EQ(exit.anon_delta_bytes, -31 * 4096);
  EXPECT_EQ(exit.shmem_delta_bytes, 0);
  EXPECT_EQ(exit.swap_delta_bytes, -5 * 4096);
  EXPECT_EQ(exit.quality, Quality::kBounded);
  EXPECT_EQ(totals().overdrawn_bytes, 0U);
  EXPECT_EQ(totals().sources.at({RssCause::kExit, std::nullopt}).lost_bytes, 38 * kPageBytes);
}

TEST_F(RssLedgerTest, AnExecBeginsAnew) {
  begin(0, {.anon = 20});
  changes(1'000, RssCause::kFault, {.anon = 30}, {});
  trace.apply(Exec{.stamp = at(1'000)});
  begin(1'000, {.anon = 2});
  changes(2'000, RssCause::kFault, {.anon = 31}, {});
  ASSERT_EQ(log.rss.size(), 3U);
  EXPECT_EQ(log.rss[1].cause, RssCause::kExit);
  EXPECT_EQ(log.rss[1].lost_bytes, 50 * kPageBytes);
  EXPECT_EQ(log.rss[2].gained_bytes, 31 * kPageBytes) << "not the difference to the other program's";
  EXPECT_EQ(totals().start_rss_bytes, 22 * kPageBytes);
  EXPECT_EQ(totals().sources.at({RssCause::kFault, std::nullopt}).gained_bytes, 61 * kPageBytes);
}

// The exec before it was lost: what became of the old program's pages is not known.
TEST_F(RssLedgerTest, ABeginStartsOverEvenWithoutAnExec) {
  begin(0, {.anon = 20});
  changes(1'000, RssCause::kFault, {.anon = 30}, {});
  begin(1'000, {.anon = 2});
  changes(2'000, RssCause::kFault, {.anon = 31}, {});
  trace.apply(Exit{.stamp = at(2'500)});
  ASSERT_EQ(log.rss.size(), 3U);
  EXPECT_EQ(log.rss[1].gained_bytes, 31 * kPageBytes);
  EXPECT_EQ(log.rss[2].lost_bytes, 33 * kPageBytes);
}

TEST_F(RssLedgerTest, NothingLeavesByLeavingTheGroupOrByTheEndOfTheTrace) {
  begin(0, {.anon = 20});
  changes(1'000, RssCause::kFault, {.anon = 1}, {});
  trace.apply(Leave{.stamp = at(1'000)});
  // It is back, as an entry of its own.
  trace.apply(Join{.stamp = at(2'000)});
  begin(2'000, {.anon = 40});
  changes(3'000, RssCause::kFault, {.anon = 2}, {});
  trace.finish();
  ASSERT_EQ(log.rss.size(), 2U);
  EXPECT_EQ(log.rss[1].gained_bytes, 2 * kPageBytes);
  ASSERT_EQ(trace.totals().processes.size(), 2U);
  EXPECT_EQ(trace.totals().processes[0].rss.start_rss_bytes, 20 * kPageBytes);
  EXPECT_EQ(trace.totals().processes[1].rss.start_rss_bytes, 40 * kPageBytes);
  EXPECT_EQ(trace.totals().processes[1].rss.sources.size(), 1U);
}

TEST_F(RssLedgerTest, AMemberThatLeftMoreOftenThanItCameIsNotARow) {
  begin(0, {.file = 2, .anon = 20});
  changes(1'000, RssCause::kRelease, {}, {.file = 5, .anon = 1});
  trace.apply(Exit{.stamp = at(1'500)});
  ASSERT_EQ(log.rss.size(), 2U);
  EXPECT_EQ(log.rss[1].lost_bytes, 19 * kPageBytes);
  EXPECT_EQ(log.rss[1].file_delta_bytes, 0);
  EXPECT_EQ(totals().overdrawn_bytes, 3 * kPageBytes);
}

TEST_F(RssLedgerTest, WithoutABeginNothingLeavesByExit) {
  trace.apply(ProcessInfo{.stamp = at(0)});
  changes(1'000, RssCause::kFault, {.anon = 30}, {});
  trace.apply(Exit{.stamp = at(1'500)});
  ASSERT_EQ(log.rss.size(), 1U);
  EXPECT_EQ(log.rss[0].gained_bytes, 30 * kPageBytes);
  EXPECT_EQ(log.rss[0].quality, Quality::kAfterLoss);
  EXPECT_EQ(totals().start_rss_bytes, std::nullopt);
}

// Whoever asks for the changes can be told them after the process has ended.
TEST_F(RssLedgerTest, ChangesOfNobodyMakeNoProcess) {
  begin(0, {.anon = 20});
  trace.apply(Exit{.stamp = at(500)});
  const std::size_t processes = trace.totals().processes.size();
  const std::size_t rows = log.rss.size();
  changes(1'000, RssCause::kFault, {.anon = 30}, {});
  EXPECT_EQ(trace.totals().processes.size(), processes);
  EXPECT_EQ(log.rss.size(), rows);
}

// An exec and the begin after it were lost.
TEST_F(RssLedgerTest, CountsThatGoBackwardsAreAnotherPrograms) {
  begin(0, {.anon = 20});
  changes(1'000, RssCause::kFault, {.anon = 30}, {.anon = 4});
  changes(1'000, RssCause::kRelease, {}, {.anon = 8});
  changes(2'000, RssCause::kFault, {.anon = 31}, {.anon = 2});
  changes(2'000, RssCause::kRelease, {}, {.anon = 9});
  trace.apply(Exit{.stamp = at(2'500)});
  ASSERT_EQ(log.rss.size(), 4U) << "what there was is not known, nor what is left";
  EXPECT_EQ(log.rss[2].gained_bytes, 31 * kPageBytes);
  EXPECT_EQ(log.rss[2].lost_bytes, 2 * kPageBytes);
  EXPECT_EQ(log.rss[2].quality, Quality::kAfterLoss);
  EXPECT_EQ(log.rss[3].lost_bytes, 1 * kPageBytes);
  EXPECT_EQ(log.rss[3].quality, Quality::kAfterLoss);
}

TEST_F(RssLedgerTest, EveryMemberCanTellThatCountsWentBackwards) {
  const RssPages many{.file = 9, .anon = 9, .swap = 9, .shmem = 9};
  for (const auto member : {&RssPages::file, &RssPages::anon, &RssPages::swap, &RssPages::shmem}) {
    for (const bool gained : {true, false}) {
      begin(0, {});
      changes(1'000, RssCause::kFault, many, many);
      RssPages less = many;
      less.*member = 8;
      changes(2'000, RssCause::kFault, gained ? less : many, gained ? many : less);
      EXPECT_EQ(log.rss.back().quality, Quality::kAfterLoss);
      EXPECT_GE(log.rss.back().gained_bytes, 26 * kPageBytes);
    }
  }
}

TEST_F(RssLedgerTest, AfterALossRowsSaySo) {
  begin(0, {.anon = 20});
  changes(1'000, RssCause::kFault, {.anon = 1}, {});
  trace.apply(Loss{.cause = "stack_unreadable", .count = 1});  // changes no number
  changes(2'000, RssCause::kFault, {.anon = 2}, {});
  lost = 1;
  changes(3'000, RssCause::kFault, {.anon = 3}, {});
  lost = 0;
  changes(4'000, RssCause::kFault, {.anon = 4}, {});
  ASSERT_EQ(log.rss.size(), 4U);
  EXPECT_EQ(log.rss[1].quality, Quality::kBounded);
  EXPECT_EQ(log.rss[2].quality, Quality::kAfterLoss);
  EXPECT_EQ(log.rss[3].quality, Quality::kAfterLoss);
}

TEST(RssLedger, EachLossOfItsRecordsIsOne) {
  for (const char* cause : {"rss_ring_full", "rss_table_full", "bad_record_field", "bad_record_size"}) {
    RowLog log;
    Trace trace(log);
    trace.apply(RunInfo{.tier = "refaults+exact"});
    trace.apply(RssBegin{.stamp = {.pid = kPid}});
    trace.apply(Loss{.cause = cause, .count = 1});
    trace.apply(RssChanges{.stamp = {.pid = kPid}, .gained = {.anon = 1}});
    ASSERT_EQ(log.rss.size(), 1U);
    EXPECT_EQ(log.rss[0].quality, Quality::kAfterLoss) << cause;
  }
}

TEST(RssLedger, OnlyATraceThatCountsThemHasThem) {
  RowLog log;
  Trace trace(log);
  trace.apply(RunInfo{.tier = "refaults"});
  trace.apply(RssBegin{.stamp = {.pid = kPid}, .pages = {.anon = 5}});
  trace.apply(RssChanges{.stamp = {.pid = kPid}, .gained = {.anon = 1}});
  trace.apply(Exit{.stamp = {.pid = kPid}});
  trace.finish();
  EXPECT_TRUE(log.rss.empty());
  EXPECT_EQ(trace.totals().processes.at(0).rss.start_rss_bytes, std::nullopt);
}

// Numbers that no kernel has; a sanitizer looks on.
TEST_F(RssLedgerTest, HostileNumbersDoNoHarm) {
  const RssPages most{.file = UINT64_MAX, .anon = UINT64_MAX, .swap = UINT64_MAX, .shmem = UINT64_MAX};
  const RssPages half{.file = UINT64_MAX / 2 + 1, .anon = UINT64_MAX / 2 + 1};
  for (const RssPages& pages : {most, half, RssPages{}}) {
    begin(0, pages);
    for (const RssPages& gained : {RssPages{}, half, most, half}) {
      changes(1'000, RssCause::kFault, gained, most);
      changes(1'000, RssCause::kReclaim, gained, half, Reclaimer::kKhugepaged);
      changes(1'000, RssCause::kReclaim, gained, half);
      changes(1'000, RssCause::kExit, most, most);
    }
    trace.apply(Exec{.stamp = at(2'000)});
  }
  for (const RssRow& row : log.rss) EXPECT_FALSE(row.cause == RssCause::kExit && row.gained_bytes != 0);
  EXPECT_FALSE(totals().sources.empty());
}

// One process after the other is counted, changed, exec'd and ended at random. The rows of
// each have to add up to what was counted, and all of them to nothing when it has ended.
class RandomRss : public testing::TestWithParam<std::uint32_t> {};

TEST_P(RandomRss, RowsAddUpToTheCountsAndToNothingAtTheEnd) {
  std::mt19937 random(GetParam());
  const auto below = [&](std::uint64_t limit) {
    return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(random);
  };
  constexpr std::array kMembers{&RssPages::file, &RssPages::anon, &RssPages::swap, &RssPages::shmem};
  struct Counted {
    RssPages held;
    std::map<std::uint64_t, std::pair<RssPages, RssPages>> by_source;
  };
  RowLog log;
  Trace trace(log);
  trace.apply(RunInfo{.tier = "exact"});
  std::map<std::uint32_t, std::int64_t> started_bytes;
  std::map<std::uint32_t, Counted> processes;
  std::map<std::uint64_t, std::uint64_t> gained_bytes;  // by source, of all
  std::uint64_t now_ns = 0;
  const auto begin = [&](std::uint32_t pid) {
    Counted& process = processes[pid];
    process = {};
    for (const auto member : kMembers) process.held.*member = below(1'000);
    started_bytes[pid] +=
        static_cast<std::int64_t>((process.held.file + process.held.anon + process.held.shmem) * kPageBytes);
    trace.apply(RssBegin{.stamp = {.mono_ns = now_ns, .pid = pid}, .pages = process.held});
  };
  const auto tell = [&](std::uint32_t pid) {
    for (const auto& [source, counts] : processes[pid].by_source) {
      const bool reclaim = source >= 5;
      trace.apply(RssChanges{.stamp = {.mono_ns = now_ns, .pid = pid},
                             .cause = reclaim ? RssCause::kReclaim : static_cast<RssCause>(source),
                             .by = reclaim ? std::optional(static_cast<Reclaimer>(source - 5)) : std::nullopt,
                             .gained = counts.first,
                             .lost = counts.second});
    }
  };
  for (std::uint32_t pid = 1; pid <= 4; ++pid) begin(pid);
  for (int step = 0; step < 2'000; ++step) {
    ++now_ns;
    const auto pid = static_cast<std::uint32_t>(1 + below(4));
    Counted& process = processes[pid];
    const std::uint64_t source = below(11);
    const auto member = kMembers.at(below(4));
    const std::uint64_t what = below(20);
    if (what < 8) {
      const std::uint64_t pages = below(600);
      process.by_source[source].first.*member += pages;
      process.held.*member += pages;
      if (member != &RssPages::swap) gained_bytes[source] += pages * kPageBytes;
    } else if (what < 15) {
      const std::uint64_t pages = below(process.held.*member + 1);
      process.by_source[source].second.*member += pages;
      process.held.*member -= pages;
    } else if (what < 19) {
      tell(pid);
    } else {
      tell(pid);
      trace.apply(Exec{.stamp = {.mono_ns = now_ns, .pid = pid}});
      begin(pid);
    }
  }
  for (std::uint32_t pid = 1; pid <= 4; ++pid) {
    tell(pid);
    trace.apply(Exit{.stamp = {.mono_ns = now_ns, .pid = pid}});
  }
  trace.finish();

  std::map<std::uint32_t, std::int64_t> sums = started_bytes;
  std::map<std::uint64_t, std::uint64_t> gained_in_rows;
  for (const RssRow& row : log.rss) {
    sums[row.pid] += row.rss_delta_bytes();
    EXPECT_EQ(row.rss_delta_bytes(), row.anon_delta_bytes + row.file_delta_bytes + row.shmem_delta_bytes);
    EXPECT_EQ(row.quality, Quality::kBounded);
    if (row.cause == RssCause::kExit) continue;
    const auto cause = row.by ? 5 + static_cast<std::uint64_t>(*row.by) : static_cast<std::uint64_t>(row.cause);
    gained_in_rows[cause] += row.gained_bytes;
  }
  std::erase_if(gained_bytes, [](const auto& entry) { return entry.second == 0; });
  EXPECT_EQ(gained_in_rows, gained_bytes);
  RssTotals all;
  for (const ProcessTotals& process : trace.totals().processes) {
    EXPECT_EQ(process.rss.overdrawn_bytes, 0U);
    EXPECT_EQ(static_cast<std::int64_t>(process.rss.start_rss_bytes.value_or(0)), started_bytes.at(process.pid));
    EXPECT_EQ(sums.at(process.pid), 0) << "process " << process.pid;
    all.add(process.rss);
  }
  std::uint64_t gained = all.start_rss_bytes.value_or(0);
  std::uint64_t lost = 0;
  std::int64_t swap = static_cast<std::int64_t>(all.start_swap_bytes.value_or(0));
  for (const auto& [source, part] : all.sources) {
    gained += part.gained_bytes;
    lost += part.lost_bytes;
    swap += part.swap_delta_bytes;
  }
  EXPECT_EQ(gained, lost);
  EXPECT_EQ(swap, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRss, testing::Range(1U, 21U));

}  // namespace
}  // namespace madvtrace
