// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "targets/reclaim_watch.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kBeganNs = 1'000;
constexpr std::uint64_t kSecondNs = 1'000'000'000;

class ReclaimWatchTest : public testing::Test {
 protected:
  ReclaimSum& of(Reclaimer by) { return sums_.at(static_cast<std::size_t>(by)); }
  std::vector<Reclaim> notice(std::uint64_t now_ns) {
    return watch_.notice(
        sums_,
        [this] {
          ++asked_;
          std::vector<ReclaimWatch::OfTarget> targets;
          for (const auto& [pid, sum] : targets_) targets.push_back({.pid = pid, .noticed = noticed_[pid], .now = sum});
          return targets;
        },
        now_ns);
  }

  ReclaimSums sums_{};
  std::map<std::uint32_t, ReclaimSum> targets_;
  std::map<std::uint32_t, ReclaimSum> noticed_;
  int asked_ = 0;
  ReclaimWatch watch_{ReclaimSums{}, kBeganNs};
};

TEST_F(ReclaimWatchTest, OneThatBeganAndEndedHasItsPages) {
  EXPECT_TRUE(notice(2'000).empty());
  of(Reclaimer::kMemcg) = {.ended = 1, .pages = 32, .begun = 1, .begun_ns = 2'100};
  const std::vector<Reclaim> reclaims = notice(3'000);
  ASSERT_EQ(reclaims.size(), 1U);
  EXPECT_EQ(reclaims[0].by, Reclaimer::kMemcg);
  EXPECT_EQ(reclaims[0].from_ns, 2'000U);
  EXPECT_EQ(reclaims[0].to_ns, 3'000U);
  EXPECT_EQ(reclaims[0].pages, 32U);
  EXPECT_TRUE(notice(4'000).empty());
  EXPECT_EQ(asked_, 0) << "no target has reclaimed";
}

// A kernel without the begins, or one for which there was no storage.
TEST_F(ReclaimWatchTest, OneThatWasNotSeenToBeginIsKnownByItsPages) {
  of(Reclaimer::kDirect).pages = 7;
  const std::vector<Reclaim> reclaims = notice(2'000);
  ASSERT_EQ(reclaims.size(), 1U);
  EXPECT_EQ(reclaims[0].pages, 7U);
}

TEST_F(ReclaimWatchTest, OneThatTookNothingIsNotTold) {
  of(Reclaimer::kMemcg) = {.ended = 5, .begun = 5, .begun_ns = 1'100};
  EXPECT_TRUE(notice(2'000).empty());
}

TEST_F(ReclaimWatchTest, WhileOneIsUnderWayNobodyKnowsHowManyItTook) {
  of(Reclaimer::kMemcg) = {.ended = 1, .pages = 32, .begun = 2, .begun_ns = 1'100};
  for (const std::uint64_t now_ns : {2'000U, 3'000U}) {
    const std::vector<Reclaim> reclaims = notice(now_ns);
    ASSERT_EQ(reclaims.size(), 1U);
    EXPECT_EQ(reclaims[0].by, Reclaimer::kMemcg);
    EXPECT_EQ(reclaims[0].from_ns, now_ns - 1'000);
    EXPECT_EQ(reclaims[0].pages, std::nullopt);
  }
  of(Reclaimer::kMemcg) = {.ended = 2, .pages = 4'000, .begun = 2, .begun_ns = 1'100};
  const std::vector<Reclaim> ended = notice(4'000);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].pages, 3'968U);
  EXPECT_TRUE(notice(5'000).empty());
}

TEST_F(ReclaimWatchTest, AnEndThatWasMissedDoesNotLastForEver) {
  of(Reclaimer::kDirect) = {.begun = 1, .begun_ns = 1'100};
  EXPECT_EQ(notice(kSecondNs).size(), 1U);
  EXPECT_EQ(notice(1'099 + ReclaimWatch::kLongestNs).size(), 1U);
  EXPECT_TRUE(notice(1'100 + ReclaimWatch::kLongestNs).empty());
}

TEST_F(ReclaimWatchTest, KswapdIsToldWhenItRunsAndNeverHowManyItTook) {
  of(Reclaimer::kKswapd) = {.begun = 1, .begun_ns = 1'100};
  ASSERT_EQ(notice(2'000).size(), 1U);
  ASSERT_EQ(notice(3'000).size(), 1U) << "it still runs";
  of(Reclaimer::kKswapd).ended = 1;
  const std::vector<Reclaim> last = notice(4'000);
  ASSERT_EQ(last.size(), 1U) << "until it sleeps";
  EXPECT_EQ(last[0].pages, std::nullopt);
  EXPECT_TRUE(notice(5'000).empty());
}

TEST_F(ReclaimWatchTest, OfTargetsItIsToldWhichOnes) {
  of(Reclaimer::kSelf) = {.ended = 1, .pages = 10, .begun = 2, .begun_ns = 1'100};
  targets_[20] = {.ended = 1, .pages = 10, .begun = 1, .begun_ns = 1'050};
  targets_[30] = {.ended = 0, .pages = 0, .begun = 1, .begun_ns = 1'100};
  targets_[40] = {};
  const std::vector<Reclaim> reclaims = notice(2'000);
  ASSERT_EQ(reclaims.size(), 2U);
  EXPECT_EQ(reclaims[0].pid, 20U);
  EXPECT_EQ(reclaims[0].pages, 10U);
  EXPECT_EQ(reclaims[1].pid, 30U);
  EXPECT_EQ(reclaims[1].pages, std::nullopt);
}

TEST_F(ReclaimWatchTest, OfATargetItIsToldWhatIsNew) {
  of(Reclaimer::kSelf).pages = 10;
  targets_[20].pages = 10;
  ASSERT_EQ(notice(2'000).size(), 1U);
  of(Reclaimer::kSelf).pages = 15;
  targets_[20].pages = 15;
  const std::vector<Reclaim> reclaims = notice(3'000);
  ASSERT_EQ(reclaims.size(), 1U);
  EXPECT_EQ(reclaims[0].by, Reclaimer::kSelf);
  EXPECT_EQ(reclaims[0].pages, 5U);
}

}  // namespace
}  // namespace madvtrace
