// SPDX-License-Identifier: Apache-2.0
// Random programs against a model so plain that it can be checked by reading: a map
// from page to the release that it is watched for. What the ledger concludes has to
// be the same, byte for byte and fate for fate, and has to add up.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "model/advice.h"
#include "model/trace.h"
#include "tests/support/no_rows.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kBase = 0xc000000000;
constexpr std::uint64_t kSpacePages = 3 * kChunkPages;  // three chunks
constexpr std::uint32_t kPid = 7;

using FateBytes = std::map<Fate, std::uint64_t>;
// By the address that a release began with and when: merged calls are one release, so
// the sums are compared by advice and fate.
using Sums = std::map<std::pair<std::optional<std::int32_t>, Fate>, std::uint64_t>;

class Collect : public test::NoRows {
 public:
  void on_release(const ReleaseRow& row) override {
    sums_[{row.advice, row.fate}] += row.bytes;
    by_release_[row.release_id] += row.bytes;
    resident_[row.release_id] = row.resident_bytes;
    if (row.delay_max_ns) {
      EXPECT_LE(row.delay_min_ns, *row.delay_max_ns);
    }
    if (row.fate == Fate::kReclaimed && row.quality == Quality::kExact) {
      EXPECT_EQ(row.delay_min_ns, row.delay_max_ns);
      EXPECT_EQ(row.by, Reclaimer::kDirect);
      reclaimed_at_a_moment_ += row.bytes;
    }
  }
  void check_conservation() const {
    for (const auto& [id, bytes] : by_release_) EXPECT_EQ(bytes, resident_.at(id)) << "release " << id;
  }
  const Sums& sums() const { return sums_; }
  std::uint64_t reclaimed_at_a_moment() const { return reclaimed_at_a_moment_; }

 private:
  Sums sums_;
  std::uint64_t reclaimed_at_a_moment_ = 0;
  std::map<std::uint64_t, std::uint64_t> by_release_;
  std::map<std::uint64_t, std::uint64_t> resident_;
};

enum class State { kAbsent, kDirty, kClean };

// The program's memory, what is known of it, and the events that a tracer would see.
class World {
 public:
  // `moments`: it is told, of most pages, when they are taken.
  World(std::uint32_t seed, bool moments) : random_(seed), trace_(rows_), moments_(moments) {
    RunInfo info;
    info.capabilities["page_walk"] = "yes";
    if (moments) info.capabilities["reclaim_moments"] = "yes";
    trace_.apply(info);
  }

  void step() {
    now_ns_ += 1 + pick(50'000'000);
    switch (pick(8)) {
      case 0:
      case 1:
        return write(any_range());
      case 2:
      case 3:
        return release(any_range(), kMadvFree);
      case 4:
        return release(any_range(), kMadvDontneed);
      case 5:
        return release(any_range(), std::nullopt);  // munmap
      case 6:
        return reclaim();
      default:
        return look();
    }
  }

  void finish(bool exits) {
    if (exits) {
      for (const auto& [page, advice] : watched_) expected_[{advice, Fate::kExited}] += kPageBytes;
      trace_.apply(Exit{.stamp = stamp()});
    } else {
      for (const auto& [page, advice] : watched_) expected_[{advice, Fate::kPending}] += kPageBytes;
      EXPECT_EQ(trace_.pending_bytes(kPid), watched_.size() * kPageBytes);
    }
    trace_.apply(RunEnd{.ended_mono_ns = now_ns_});
    trace_.finish();
    rows_.check_conservation();
    EXPECT_EQ(rows_.sums(), expected_);
    EXPECT_EQ(rows_.reclaimed_at_a_moment(), taken_at_a_moment_);
    EXPECT_TRUE(trace_.totals().lost.empty());
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  Stamp stamp() const { return {.mono_ns = now_ns_, .pid = kPid, .tid = kPid}; }

  // Pages, not addresses.
  struct Range {
    std::uint64_t first;
    std::uint64_t end;
  };
  Range any_range() {
    const std::uint64_t first = pick(kSpacePages);
    return {first, std::min(kSpacePages, first + 1 + pick(pick(4) == 0 ? kSpacePages : 40))};
  }

  void write(Range range) {
    for (std::uint64_t page = range.first; page < range.end; ++page) state_[page] = State::kDirty;
  }

  void reclaim() {
    for (auto& [page, state] : state_) {
      if (state != State::kClean || pick(3) != 0) continue;
      state = State::kAbsent;
      if (!moments_ || pick(4) == 0) continue;  // there was no room to tell
      tell_taken(page);
      close_as_taken(page);
    }
  }

  void tell_taken(std::uint64_t page) {
    ++now_ns_;
    trace_.apply(Reclaimed{.stamp = stamp(), .addr = kBase + page * kPageBytes, .pages = 1, .by = Reclaimer::kDirect});
  }

  void close_as_taken(std::uint64_t page) {
    const auto watched = watched_.find(page);
    if (watched == watched_.end()) return;
    expected_[{watched->second, Fate::kReclaimed}] += kPageBytes;
    taken_at_a_moment_ += kPageBytes;
    watched_.erase(watched);
  }

  // While a call is at work on them, and has counted them.
  std::vector<std::uint64_t> reclaim_within(Range range) {
    std::vector<std::uint64_t> taken;
    for (std::uint64_t page = range.first; page < range.end; ++page) {
      if (state(page) != State::kClean || pick(3) != 0) continue;
      tell_taken(page);
      taken.push_back(page);
    }
    return taken;
  }

  State state(std::uint64_t page) const {
    const auto found = state_.find(page);
    return found == state_.end() ? State::kAbsent : found->second;
  }

  void set_bits(Pages& pages) const {
    for (std::uint64_t page = pages.first_page; page < pages.first_page + pages.pages; ++page) {
      const State at = state((pages.chunk_addr - kBase) / kPageBytes + page);
      const std::uint64_t bit = std::uint64_t{1} << (page % 64);
      if (at != State::kAbsent) pages.resident_bits.at(page / 64) |= bit;
      if (at == State::kClean) pages.clean_bits.at(page / 64) |= bit;
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
    if (advice == kMadvFree) lazy_ = true;
    for (std::uint64_t chunk = 0; lazy_ && chunk < kSpacePages; chunk += kChunkPages) {
      const std::uint64_t first = std::max(range.first, chunk);
      const std::uint64_t end = std::min(range.end, chunk + kChunkPages);
      if (first >= end) continue;
      Pages pages{.stamp = stamp(),
                  .begin_ns = begin_ns,
                  .chunk_addr = kBase + chunk * kPageBytes,
                  .first_page = static_cast<std::uint32_t>(first - chunk),
                  .pages = static_cast<std::uint32_t>(end - first)};
      set_bits(pages);
      const bool any =
          std::any_of(pages.resident_bits.begin(), pages.resident_bits.end(), [](auto w) { return w != 0; });
      if (any) trace_.apply(pages);  // as the kernel side does
    }
    const std::vector<std::uint64_t> taken =
        moments_ && lazy_ && pick(3) == 0 ? reclaim_within(range) : std::vector<std::uint64_t>();
    now_ns_ += 1000;
    const bool refused = pick(10) == 0;
    trace_.apply(
        ReleaseEnd{.stamp = stamp(), .begin_ns = begin_ns, .ret = refused ? -22 : 0, .after = refused ? walk : Walk{}});
    if (!refused) took_effect(range, advice);
    for (const std::uint64_t page : taken) {
      state_[page] = State::kAbsent;
      close_as_taken(page);
    }
  }

  void took_effect(Range range, std::optional<std::int32_t> advice) {
    for (std::uint64_t page = range.first; page < range.end; ++page) {
      const State before = state(page);
      if (const auto watched = watched_.find(page); watched != watched_.end()) {
        const Fate fate = before == State::kAbsent  ? Fate::kReclaimed
                          : before == State::kDirty ? Fate::kRewritten
                          : advice                  ? Fate::kSuperseded
                                                    : Fate::kUnmapped;
        expected_[{watched->second, fate}] += kPageBytes;
        watched_.erase(watched);
      }
      if (before == State::kAbsent) continue;
      if (advice == kMadvFree) {
        state_[page] = State::kClean;
        watched_[page] = advice;
      } else {
        state_[page] = State::kAbsent;
        expected_[{advice, Fate::kFreed}] += kPageBytes;
      }
    }
  }

  void look() {
    for (const std::uint64_t chunk_addr : trace_.watched_chunks(kPid)) {
      Pages pages{
          .stamp = stamp(), .begin_ns = now_ns_, .chunk_addr = chunk_addr, .pages = kChunkPages, .on_demand = true};
      now_ns_ += 100;
      pages.stamp = stamp();
      set_bits(pages);
      trace_.apply(pages);
      const std::uint64_t first = (chunk_addr - kBase) / kPageBytes;
      for (auto at = watched_.lower_bound(first); at != watched_.end() && at->first < first + kChunkPages;) {
        const State now = state(at->first);
        if (now == State::kClean) {
          ++at;
          continue;
        }
        expected_[{at->second, now == State::kDirty ? Fate::kRewritten : Fate::kReclaimed}] += kPageBytes;
        at = watched_.erase(at);
      }
    }
  }

  std::mt19937 random_;
  Collect rows_;
  Trace trace_;
  std::uint64_t now_ns_ = 1'000'000'000;
  bool moments_ = false;
  bool lazy_ = false;
  std::uint64_t taken_at_a_moment_ = 0;
  std::map<std::uint64_t, State> state_;
  std::map<std::uint64_t, std::optional<std::int32_t>> watched_;  // page -> advice that it was released with
  Sums expected_;
};

TEST(LedgerProperty, AgreesWithAPlainModelOnRandomPrograms) {
  constexpr std::uint32_t kPrograms = 10'000;
  constexpr int kSteps = 25;
  for (std::uint32_t seed = 1; seed <= kPrograms && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed, /*moments=*/seed % 4 >= 2);
    for (int i = 0; i < kSteps; ++i) world.step();
    world.finish(seed % 2 == 0);
  }
}

// What a look finds while a call is at work there, or found before one ended, is that
// call's own doing.
TEST(LedgerLooks, SayNothingOfPagesThatACallIsChanging) {
  Collect rows;
  Trace trace(rows);
  const auto at = [](std::uint64_t ms) { return Stamp{.mono_ns = ms * 1'000'000, .pid = kPid, .tid = kPid}; };
  const auto begin = [&](std::uint64_t ms, std::int32_t advice) {
    CallFields call{.kind = CallKind::kMadvise, .begin_ns = at(ms).mono_ns};
    call.args = {kBase, kChunkBytes, static_cast<std::uint64_t>(advice), 0, 0, 0};
    trace.apply(ReleaseBegin{.stamp = at(ms),
                             .call = call,
                             .range = {kBase, kBase + kChunkBytes},
                             .walk = {.resident_pages = kChunkPages, .done = true}});
    Pages pages{.stamp = at(ms), .begin_ns = call.begin_ns, .chunk_addr = kBase, .pages = kChunkPages};
    pages.resident_bits.fill(~std::uint64_t{0});
    if (advice == kMadvDontneed) pages.clean_bits = pages.resident_bits;
    trace.apply(pages);
  };
  const auto end = [&](std::uint64_t begin_ms, std::uint64_t ms) {
    trace.apply(ReleaseEnd{.stamp = at(ms), .begin_ns = at(begin_ms).mono_ns});
  };
  const auto look_finds_nothing = [&](std::uint64_t begin_ms, std::uint64_t ms) {
    trace.apply(Pages{.stamp = at(ms),
                      .begin_ns = at(begin_ms).mono_ns,
                      .chunk_addr = kBase,
                      .pages = kChunkPages,
                      .on_demand = true});
  };
  begin(100, kMadvFree);
  end(100, 110);
  look_finds_nothing(105, 120);  // began before the release ended
  EXPECT_EQ(trace.pending_bytes(kPid), kChunkBytes);
  begin(200, kMadvDontneed);
  look_finds_nothing(205, 206);  // the pages are going right now
  EXPECT_EQ(trace.pending_bytes(kPid), kChunkBytes);
  end(200, 210);
  trace.finish();
  EXPECT_EQ(rows.sums(),
            (Sums{{{kMadvFree, Fate::kSuperseded}, kChunkBytes}, {{kMadvDontneed, Fate::kFreed}, kChunkBytes}}));
}

}  // namespace
}  // namespace madvtrace
