// SPDX-License-Identifier: Apache-2.0
// Pages that left RSS and came back: single cases, and random programs against a model so
// plain that it can be checked by reading.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "model/advice.h"
#include "model/returns.h"
#include "model/trace.h"
#include "tests/support/no_rows.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kBase = 0xc000000000;
constexpr std::uint64_t kSpacePages = 2 * kChunkPages + 100;  // three chunks, one of them in part
constexpr std::uint32_t kPid = 7;
constexpr std::uint64_t kMsNs = 1'000'000;

// release_id and whether it was to the moment -> bytes
using Returned = std::map<std::pair<std::uint64_t, Quality>, std::uint64_t>;

class Collect : public test::NoRows {
 public:
  void on_release(const ReleaseRow& row) override {
    if (!is_return(row.fate)) {
      left_[row.release_id] += row.bytes;
      resident_[row.release_id] = row.resident_bytes;
      return;
    }
    rows.push_back(row);
    returned[{row.release_id, row.quality}] += row.bytes;
    EXPECT_TRUE(row.delay_max_ns);
    EXPECT_LE(row.delay_min_ns, row.delay_max_ns.value_or(0));
  }
  void check_conservation() const {
    for (const auto& [id, bytes] : left_) EXPECT_EQ(bytes, resident_.at(id)) << "release " << id;
  }

  std::vector<ReleaseRow> rows;
  Returned returned;

 private:
  std::map<std::uint64_t, std::uint64_t> left_;
  std::map<std::uint64_t, std::uint64_t> resident_;
};

void fill(PageBits& bits, std::size_t first, std::size_t end) {
  for (std::size_t page = first; page < end; ++page) bits.at(page / 64) |= std::uint64_t{1} << (page % 64);
}

class ReturnsTest : public testing::Test {
 protected:
  ReturnsTest() { trace.apply(RunInfo{.tier = "refaults"}); }

  static Stamp at(std::uint64_t ms) { return {.mono_ns = ms * kMsNs, .pid = kPid, .tid = kPid}; }

  // Of the first `pages` of the first chunk, all of them resident before.
  void begin(std::uint64_t ms, std::int32_t advice, std::size_t pages) {
    CallFields call{.kind = CallKind::kMadvise, .begin_ns = at(ms).mono_ns};
    call.args = {kBase, pages * kPageBytes, static_cast<std::uint64_t>(advice), 0, 0, 0};
    trace.apply(ReleaseBegin{.stamp = at(ms),
                             .call = call,
                             .range = AddressRange::of_call(kBase, pages * kPageBytes),
                             .walk = {.resident_pages = pages, .done = true}});
    Pages seen{
        .stamp = at(ms), .begin_ns = call.begin_ns, .chunk_addr = kBase, .pages = static_cast<std::uint32_t>(pages)};
    fill(seen.resident_bits, 0, kChunkPages);  // what is outside of it means nothing
    trace.apply(seen);
  }
  void end(std::uint64_t begin_ms, std::uint64_t ms, const Walk& after = {}) {
    trace.apply(ReleaseEnd{.stamp = at(ms), .begin_ns = at(begin_ms).mono_ns, .after = after});
  }
  void release(std::uint64_t ms, std::int32_t advice, std::size_t pages) {
    begin(ms, advice, pages);
    end(ms, ms + 1);
  }
  void touch(std::uint64_t ms, std::size_t page, bool swapped = false) {
    trace.apply(Refault{.stamp = at(ms), .addr = kBase + page * kPageBytes, .swapped = swapped});
  }
  void look(std::uint64_t ms, std::size_t resident, bool huge = false) {
    Pages seen{.stamp = at(ms),
               .begin_ns = at(ms).mono_ns - 1000,
               .chunk_addr = kBase,
               .pages = kChunkPages,
               .on_demand = true,
               .huge = huge};
    fill(seen.resident_bits, 0, resident);
    trace.apply(seen);
  }
  const ReturnTotals& totals() {
    trace.apply(RunEnd{.ended_mono_ns = 1'000'000 * kMsNs});
    trace.finish();
    rows.check_conservation();
    return trace.totals().processes.at(0).returns;
  }

  Collect rows;
  Trace trace{rows};
};

TEST_F(ReturnsTest, AFaultIsKnownToTheMoment) {
  release(100, kMadvDontneed, 10);
  touch(130, 3);
  touch(900, 4);
  const ReturnTotals& all = totals();
  ASSERT_EQ(rows.rows.size(), 1U);
  const ReleaseRow& row = rows.rows[0];
  EXPECT_EQ(row.bytes, 2 * kPageBytes);
  EXPECT_EQ(row.resident_bytes, 10 * kPageBytes);
  EXPECT_EQ(row.delay_min_ns, 30 * kMsNs);
  EXPECT_EQ(row.delay_max_ns, 800 * kMsNs);
  EXPECT_EQ(row.quality, Quality::kExact);
  EXPECT_EQ(all.left_bytes, 10 * kPageBytes);
  EXPECT_EQ(all.returned.faults, 2U);
}

TEST_F(ReturnsTest, ThresholdsIncludeTheirEnd) {
  release(0, kMadvDontneed, 10);
  touch(1000, 0);
  touch(1001, 1);
  touch(10'000, 2);
  touch(60'000, 3);
  touch(60'001, 4);
  const ReturnTotals& all = totals();
  EXPECT_EQ(all.returned.bytes, 5 * kPageBytes);
  EXPECT_EQ(all.within[0].faults, 1U);
  EXPECT_EQ(all.within[1].faults, 3U);
  EXPECT_EQ(all.within[2].faults, 4U);
  EXPECT_EQ(all.within[2].bytes, 4 * kPageBytes);
}

TEST_F(ReturnsTest, NothingIsFollowedUnlessAsked) {
  Collect unasked_rows;
  Trace unasked(unasked_rows);
  unasked.apply(RunInfo{.tier = "base"});
  EXPECT_FALSE(unasked.totals().info.records_refaults());
  unasked.apply(Refault{.stamp = at(1), .addr = kBase});
  EXPECT_TRUE(unasked.left_chunks(kPid).empty());
}

TEST_F(ReturnsTest, TouchedByAnotherThreadBeforeTheCallHasReturned) {
  begin(100, kMadvDontneed, 4);
  touch(101, 2);
  end(100, 102);
  EXPECT_EQ(totals().returned.bytes, kPageBytes);
}

TEST_F(ReturnsTest, KhugepagedIsKnownByTheSmallPagesThatWereThere) {
  release(100, kMadvDontneed, 256);
  look(1000, 0);
  look(2000, kChunkPages, /*huge=*/true);  // there was no page table: a fault can have done it
  release(3000, kMadvDontneed, 256);
  touch(3500, 0);
  look(4000, 1);
  look(5000, kChunkPages, /*huge=*/true);
  const ReturnTotals& all = totals();
  EXPECT_EQ(all.collapsed_bytes, 255 * kPageBytes);
  EXPECT_EQ(all.returned.bytes, 512 * kPageBytes);
  EXPECT_EQ(all.returned.faults, 1U);
  ASSERT_EQ(rows.rows.size(), 3U);
  EXPECT_FALSE(rows.rows[0].by);
  EXPECT_EQ(rows.rows[0].delay_min_ns, 900 * kMsNs - 1000);
  EXPECT_EQ(rows.rows[0].delay_max_ns, 1900 * kMsNs);
  EXPECT_EQ(rows.rows[2].by, Reclaimer::kKhugepaged);
  EXPECT_EQ(rows.rows[2].quality, Quality::kBounded);
}

// What was there when a call last changed the chunk says nothing of now.
TEST_F(ReturnsTest, NotKhugepagedAfterACallHasEmptiedTheChunk) {
  release(100, kMadvDontneed, 256);
  look(1000, 1);
  release(1500, kMadvDontneed, 512);
  look(2000, kChunkPages, /*huge=*/true);
  EXPECT_EQ(totals().collapsed_bytes, 0U);
}

TEST_F(ReturnsTest, OfPagingOutOnlyAFaultProvesThatAPageLeft) {
  begin(100, kMadvPageout, 10);
  end(100, 101, {.resident_pages = 6, .done = true});
  look(1000, 6);  // six never left
  touch(2000, 8, /*swapped=*/true);
  touch(2001, 9);
  EXPECT_EQ(totals().returned.bytes, 2 * kPageBytes);
  EXPECT_EQ(rows.rows.size(), 1U);
}

TEST_F(ReturnsTest, WhatIsInSwapHadComeBackUnnoticed) {
  release(100, kMadvDontneed, 10);
  touch(2000, 8, /*swapped=*/true);
  totals();
  ASSERT_EQ(rows.rows.size(), 1U);
  EXPECT_EQ(rows.rows[0].quality, Quality::kBounded);
  EXPECT_EQ(rows.rows[0].delay_min_ns, 0U);
  EXPECT_EQ(rows.rows[0].delay_max_ns, 1900 * kMsNs);
}

TEST_F(ReturnsTest, AnotherProgramHasNothingToComeBack) {
  release(100, kMadvDontneed, 10);
  touch(200, 1);
  trace.apply(Exec{.stamp = at(300)});
  touch(400, 2);
  EXPECT_EQ(totals().returned.bytes, kPageBytes);
}

// The call had not looked yet: it took the page after it was touched.
TEST_F(ReturnsTest, TouchedJustBeforeTheNextReleaseLooked) {
  release(100, kMadvDontneed, 4);
  CallFields call{.kind = CallKind::kMadvise, .begin_ns = at(200).mono_ns};
  call.args = {kBase, 4 * kPageBytes, static_cast<std::uint64_t>(kMadvDontneed), 0, 0, 0};
  trace.apply(ReleaseBegin{.stamp = at(203),
                           .call = call,
                           .range = AddressRange::of_call(kBase, 4 * kPageBytes),
                           .walk = {.resident_pages = 1, .done = true}});
  touch(201, 2);
  Pages seen{.stamp = at(202), .begin_ns = call.begin_ns, .chunk_addr = kBase, .pages = 4};
  fill(seen.resident_bits, 2, 3);
  trace.apply(seen);
  end(200, 210);
  touch(300, 3);
  totals();
  ASSERT_EQ(rows.rows.size(), 1U);
  EXPECT_EQ(rows.rows[0].release_id, 1U);
  EXPECT_EQ(rows.rows[0].quality, Quality::kExact);
  EXPECT_EQ(rows.rows[0].bytes, 2 * kPageBytes);
  EXPECT_EQ(rows.rows[0].delay_min_ns, 101 * kMsNs);
}

// Something else may have been mapped there by then.
TEST_F(ReturnsTest, NotWhatIsTouchedWhileItIsUnmapped) {
  release(100, kMadvDontneed, 4);
  CallFields call{.kind = CallKind::kMunmap, .begin_ns = at(200).mono_ns};
  call.args = {kBase, 4 * kPageBytes, 0, 0, 0, 0};
  trace.apply(ReleaseBegin{
      .stamp = at(200), .call = call, .range = AddressRange::of_call(kBase, 4 * kPageBytes), .walk = {.done = true}});
  touch(201, 2);
  end(200, 210);
  touch(300, 3);
  EXPECT_EQ(totals().returned.bytes, 0U);
}

enum class State { kAbsent, kDirty, kClean };

class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed), trace_(rows_) { trace_.apply(RunInfo{.tier = "refaults"}); }

  void step() {
    now_ns_ += 20 * kMsNs + pick(50 * kMsNs);  // too far apart to be merged
    switch (pick(9)) {
      case 0:
      case 1:
        return touch(any_range());
      case 2:
        return bring_back(any_range());
      case 3:
      case 4:
        return release(any_range(), kMadvDontneed);
      case 5:
        return release(any_range(), kMadvFree);
      case 6:
        return release(any_range(), std::nullopt);  // munmap, and the range is mapped anew
      case 7:
        return reclaim();
      default:
        return look();
    }
  }

  void finish() {
    trace_.apply(RunEnd{.ended_mono_ns = now_ns_});
    trace_.finish();
    rows_.check_conservation();
    EXPECT_EQ(rows_.returned, expected_);
    EXPECT_TRUE(trace_.totals().lost.empty());
    std::uint64_t sum = 0;
    for (const auto& [of, bytes] : expected_) sum += bytes;
    const auto& processes = trace_.totals().processes;
    EXPECT_EQ(processes.empty() ? 0 : processes[0].returns.returned.bytes, sum);
  }

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t end;
  };
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  Stamp stamp() const { return {.mono_ns = now_ns_, .pid = kPid, .tid = kPid}; }
  Range any_range() {
    const std::uint64_t first = pick(kSpacePages);
    return {first, std::min(kSpacePages, first + 1 + pick(pick(4) == 0 ? kSpacePages : 40))};
  }
  State state(std::uint64_t page) const {
    const auto found = state_.find(page);
    return found == state_.end() ? State::kAbsent : found->second;
  }

  // The release that took this page, if any, has it back.
  void expect_back(std::uint64_t page, Quality quality) {
    const auto found = left_.find(page);
    if (found == left_.end()) return;
    expected_[{found->second, quality}] += kPageBytes;
    left_.erase(found);
  }

  void touch(Range range) {
    for (std::uint64_t page = range.first; page < range.end; ++page) touch_page(page);
  }
  void touch_page(std::uint64_t page) {
    if (state(page) == State::kAbsent && noted_.erase(page) != 0) {
      trace_.apply(Refault{.stamp = stamp(), .addr = kBase + page * kPageBytes});
      if (const auto lazy = lazy_.find(page); lazy != lazy_.end()) {
        left_[page] = lazy->second;
        lazy_.erase(lazy);
      }
      expect_back(page, Quality::kExact);
    }
    state_[page] = State::kDirty;
  }
  // Without a fault.
  void bring_back(Range range) {
    for (std::uint64_t page = range.first; page < range.end; ++page) state_[page] = State::kDirty;
  }
  void reclaim() {
    for (auto& [page, state] : state_) {
      if (state == State::kClean && pick(3) == 0) state = State::kAbsent;
    }
  }

  void see(Pages& pages) const {
    for (std::uint64_t page = pages.first_page; page < pages.first_page + pages.pages; ++page) {
      const State at = state((pages.chunk_addr - kBase) / kPageBytes + page);
      if (at != State::kAbsent) fill(pages.resident_bits, page, page + 1);
      if (at == State::kClean) fill(pages.clean_bits, page, page + 1);
    }
  }

  void release(Range range, std::optional<std::int32_t> advice) {
    const std::uint64_t begin_ns = now_ns_;
    CallFields call{.kind = advice ? CallKind::kMadvise : CallKind::kMunmap, .begin_ns = begin_ns};
    call.args[0] = kBase + range.first * kPageBytes;
    call.args[1] = (range.end - range.first) * kPageBytes;
    call.args[2] = static_cast<std::uint64_t>(advice.value_or(0));
    Walk walk{.done = true};
    for (std::uint64_t page = range.first; page < range.end; ++page) {
      walk.resident_pages += state(page) != State::kAbsent ? 1U : 0U;
      walk.clean_pages += state(page) == State::kClean ? 1U : 0U;
    }
    trace_.apply(ReleaseBegin{
        .stamp = stamp(), .call = call, .range = AddressRange::of_call(call.args[0], call.args[1]), .walk = walk});
    for (std::uint64_t chunk = 0; chunk < kSpacePages; chunk += kChunkPages) {
      const std::uint64_t first = std::max(range.first, chunk);
      const std::uint64_t end = std::min(range.end, chunk + kChunkPages);
      if (first >= end) continue;
      Pages pages{.stamp = stamp(),
                  .begin_ns = begin_ns,
                  .chunk_addr = kBase + chunk * kPageBytes,
                  .first_page = static_cast<std::uint32_t>(first - chunk),
                  .pages = static_cast<std::uint32_t>(end - first)};
      see(pages);
      if (pages.resident_bits != PageBits{}) trace_.apply(pages);
    }
    const bool refused = pick(10) == 0;
    // A failed call has noted its pages as well.
    for (std::uint64_t page = range.first; advice && page < range.end; ++page) {
      if (state(page) != State::kAbsent) noted_.insert(page);
    }
    if (!refused) took_effect(range, advice, walk.resident_pages);
    now_ns_ += 1000;
    trace_.apply(
        ReleaseEnd{.stamp = stamp(), .begin_ns = begin_ns, .ret = refused ? -22 : 0, .after = refused ? walk : Walk{}});
  }

  void took_effect(Range range, std::optional<std::int32_t> advice, std::uint64_t resident) {
    const std::uint64_t id = resident == 0 ? 0 : ++last_id_;
    std::vector<std::uint64_t> gone;
    for (std::uint64_t page = range.first; page < range.end; ++page) {
      const State before = state(page);
      if (const auto lazy = lazy_.find(page); lazy != lazy_.end()) {
        if (before == State::kAbsent) left_[page] = lazy->second;
        lazy_.erase(lazy);
      }
      if (before != State::kAbsent) expect_back(page, Quality::kBounded);
      if (!advice) left_.erase(page);
      if (before == State::kAbsent) continue;
      if (advice == kMadvFree) {
        state_[page] = State::kClean;
        lazy_[page] = id;
      } else {
        state_[page] = State::kAbsent;
        if (advice) left_[page] = id;
        if (advice) gone.push_back(page);
      }
    }
    // Another thread is quick.
    now_ns_ += 500;
    for (const std::uint64_t page : gone) {
      if (pick(8) == 0) touch_page(page);
    }
  }

  void look() {
    std::set<std::uint64_t> chunks;
    for (const auto chunk : trace_.watched_chunks(kPid)) chunks.insert(chunk);
    for (const auto chunk : trace_.left_chunks(kPid)) chunks.insert(chunk);
    for (const std::uint64_t chunk_addr : chunks) {
      Pages pages{
          .stamp = stamp(), .begin_ns = now_ns_, .chunk_addr = chunk_addr, .pages = kChunkPages, .on_demand = true};
      now_ns_ += 100;
      pages.stamp = stamp();
      see(pages);
      trace_.apply(pages);
      const std::uint64_t first = (chunk_addr - kBase) / kPageBytes;
      for (std::uint64_t page = first; page < first + kChunkPages; ++page) {
        if (state(page) != State::kAbsent) expect_back(page, Quality::kBounded);
        const auto lazy = lazy_.find(page);
        if (lazy == lazy_.end() || state(page) == State::kClean) continue;
        if (state(page) == State::kAbsent) left_[page] = lazy->second;
        lazy_.erase(lazy);
      }
    }
  }

  std::mt19937 random_;
  Collect rows_;
  Trace trace_;
  std::uint64_t now_ns_ = 1'000'000'000;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, State> state_;
  std::set<std::uint64_t> noted_;                // what the kernel side looks out for
  std::map<std::uint64_t, std::uint64_t> lazy_;  // page -> release that it is lazily freed by, as far as is known
  std::map<std::uint64_t, std::uint64_t> left_;  // page -> release that took it
  Returned expected_;
};

TEST(ReturnsProperty, AgreesWithAPlainModelOnRandomPrograms) {
  constexpr std::uint32_t kPrograms = 3000;
  constexpr int kSteps = 30;
  for (std::uint32_t seed = 1; seed <= kPrograms && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed);
    for (int i = 0; i < kSteps; ++i) world.step();
    world.finish();
  }
}

}  // namespace
}  // namespace madvtrace
