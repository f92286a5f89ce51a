// SPDX-License-Identifier: Apache-2.0
// The moment at which a lazily freed page is taken: the tier exact beside the base tier, on
// the same program at the same time. What they say of bytes is the same, and base's
// interval contains exact's moment. Only on kernels that let their functions be hooked.
#include <algorithm>
#include <map>
#include <utility>

#include "vmtests/machine.h"

namespace madvtrace {
namespace {

// Each trace has read the clocks by itself.
constexpr std::int64_t kClocksApartNs = 100'000;

struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

class ExactMomentTest : public VmTest {
 protected:
  void trace_both() {
    ASSERT_NO_FATAL_FAILURE(trace_lazy({"--exact", "-i", "500ms"}));
    Result<std::unique_ptr<MadvtraceRun>> base =
        MadvtraceRun::start({"-q", "-o", directory_ / "base", "-i", "500ms", "-p", lazy_->pid_text()});
    ASSERT_HAS_VALUE(base);
    base_ = std::move(*base);
  }
  void end_both() {
    ASSERT_NO_FATAL_FAILURE(end_cleanly(*base_));
    ASSERT_NO_FATAL_FAILURE(end_trace());
    Result<CsvTable> table = CsvTable::read(directory_ / "base/releases.csv");
    ASSERT_HAS_VALUE(table);
    base_releases_ = std::move(*table);
  }

  static std::int64_t bytes(const CsvTable& releases, const std::string& fate) {
    std::int64_t sum = 0;
    for (const std::size_t row : releases.rows_where("fate", fate)) sum += releases.number(row, "bytes").value_or(0);
    return sum;
  }

  // When pages of each base release went, by the address at which the release begins.
  std::map<std::int64_t, std::pair<std::int64_t, Interval>> base_intervals() const {
    std::map<std::int64_t, std::pair<std::int64_t, Interval>> intervals;  // begin -> end, when
    for (const std::size_t row : base_releases_.rows_where("fate", "reclaimed")) {
      const std::int64_t addr = base_releases_.number(row, "addr").value_or(0);
      const std::int64_t released = base_releases_.number(row, "released_ts_ns").value_or(0);
      const Interval when{released + base_releases_.number(row, "delay_min_ns").value_or(0),
                          released + base_releases_.number(row, "delay_max_ns").value_or(0)};
      const auto [at, is_new] =
          intervals.try_emplace(addr, std::pair{addr + base_releases_.number(row, "len_bytes").value_or(0), when});
      if (is_new) continue;
      at->second.second = {std::min(at->second.second.begin, when.begin), std::max(at->second.second.end, when.end)};
    }
    return intervals;
  }

  // Every page that was reclaimed has one moment, and it is within what base says.
  void expect_moments() const {
    const auto intervals = base_intervals();
    std::size_t moments = 0, outside = 0;
    std::int64_t bytes_at_a_moment = 0;
    for (const std::size_t row : releases_.rows_where("fate", "reclaimed")) {
      EXPECT_EQ(releases_.at(row, "quality"), "exact") << releases_.text(row);
      EXPECT_EQ(releases_.at(row, "delay_min_ns"), releases_.at(row, "delay_max_ns")) << releases_.text(row);
      if (testing::Test::HasFailure()) return;
      ++moments;
      bytes_at_a_moment += releases_.number(row, "bytes").value_or(0);
      const std::int64_t addr = releases_.number(row, "addr").value_or(0);
      const std::int64_t moment =
          releases_.number(row, "released_ts_ns").value_or(0) + releases_.number(row, "delay_min_ns").value_or(0);
      auto after = intervals.upper_bound(addr);
      const bool known = after != intervals.begin() && addr < std::prev(after)->second.first;
      const Interval when = known ? std::prev(after)->second.second : Interval{};
      const bool inside = moment >= when.begin - kClocksApartNs && moment <= when.end + kClocksApartNs;
      if (!known || !inside) {
        ++outside;
        EXPECT_LE(outside, 3U) << releases_.text(row) << " | base: " << when.begin << " to " << when.end;
      }
    }
    print("moments", moments, "outside of base's interval", outside);
    EXPECT_EQ(outside, 0U);
    EXPECT_EQ(bytes_at_a_moment, bytes_of("reclaimed"));
  }

  void expect_the_same_bytes() const {
    for (const char* fate : {"freed", "reclaimed", "rewritten", "superseded", "unmapped", "pending"}) {
      print(fate, "exact", bytes_of(fate), "base", bytes(base_releases_, fate));
      EXPECT_EQ(bytes_of(fate), bytes(base_releases_, fate)) << fate;
    }
  }

  std::unique_ptr<MadvtraceRun> base_;
  CsvTable base_releases_;
};

TEST_F(ExactMomentTest, LiesInWhatTheBaseTierSays) {
  ASSERT_NO_FATAL_FAILURE(make_group());
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}, group_.get()));
  ASSERT_NO_FATAL_FAILURE(trace_both());
  ASSERT_TRUE(step('f').is_object());
  ASSERT_TRUE(step('w').is_object());
  const std::int64_t before = vmstat({"pglazyfreed"}) * kPage;
  group_->take(4 * kMiB);
  group_->take(8 * kMiB);
  ASSERT_TRUE(step('u').is_object());
  const json left = step('s');
  const std::int64_t lazyfreed = vmstat({"pglazyfreed"}) * kPage - before;
  ASSERT_NO_FATAL_FAILURE(end_both());
  print("pglazyfreed", lazyfreed, "exact", bytes_of("reclaimed"), "by memcg", reclaimed_by("memcg"));
  EXPECT_EQ(bytes_of("reclaimed"), lazyfreed);
  EXPECT_GE(lazyfreed, 4 * kMiB);
  // It was seen who did it, of every page.
  EXPECT_EQ(reclaimed_by("memcg"), lazyfreed);
  expect_the_same_bytes();
  expect_moments();
}

// Huge pages: one folio, many pages.
TEST_F(ExactMomentTest, OfHugePages) {
  ASSERT_NO_FATAL_FAILURE(make_group());
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32", "--huge"}, group_.get()));
  ASSERT_NO_FATAL_FAILURE(trace_both());
  ASSERT_TRUE(step('F').is_object());
  const std::int64_t before = vmstat({"pglazyfreed"}) * kPage;
  group_->take(16 * kMiB);
  const json left = step('s');
  const std::int64_t lazyfreed = vmstat({"pglazyfreed"}) * kPage - before;
  ASSERT_NO_FATAL_FAILURE(end_both());
  print("pglazyfreed", lazyfreed, "exact", bytes_of("reclaimed"), "truth",
        mapped_ - left.at("resident_bytes").get<std::int64_t>());
  EXPECT_EQ(bytes_of("reclaimed"), mapped_ - left.at("resident_bytes").get<std::int64_t>());
  EXPECT_GE(bytes_of("reclaimed"), 8 * kMiB);
  expect_the_same_bytes();
  expect_moments();
}

}  // namespace
}  // namespace madvtrace
