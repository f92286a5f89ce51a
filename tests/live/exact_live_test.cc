// SPDX-License-Identifier: Apache-2.0
// The tier exact: what changes RSS, by cause. Held against what the program knows it did,
// against the page tables (smaps, pagemap) and against what the base tier says of the same
// calls.
#include <array>
#include <fstream>
#include <sstream>

#include "tests/live/lazy_test.h"
#include "tests/live/pressure_group.h"

namespace madvtrace {
namespace {

// Before 6.2 a thread counts up to so many faults by itself.
constexpr std::int64_t kUncountedPages = 64;

class ExactTest : public LazyTest {
 protected:
  void trace_exactly() { trace_lazy({"--exact", "-i", "100ms"}); }
  void end_exact_trace() {
    ASSERT_NO_FATAL_FAILURE(end_trace());
    Result<CsvTable> table = CsvTable::read(file("rss_changes.csv"));
    ASSERT_HAS_VALUE(table);
    changes_ = std::move(*table);
  }

  std::int64_t sum(const std::string& column, const std::string& cause = "", const std::string& by = "") const {
    std::int64_t total = 0;
    for (std::size_t row = 0; row < changes_.size(); ++row) {
      if (!cause.empty() && changes_.at(row, "cause") != cause) continue;
      if (!by.empty() && changes_.at(row, "by") != by) continue;
      total += changes_.number(row, column).value_or(0);
    }
    return total;
  }
  std::int64_t start_rss() const {
    return summary().at("processes").at(0).at("rss_changes").at("start_rss_bytes").get<std::int64_t>();
  }
  // By the page tables. Nothing changes it while the program waits.
  std::int64_t rss_now() const {
    std::ifstream smaps("/proc/" + lazy_->pid_text() + "/smaps_rollup");
    for (std::string line; std::getline(smaps, line);) {
      std::int64_t kib = 0;
      if (std::istringstream(line.substr(line.find(':') + 1)) >> kib && line.starts_with("Rss:")) return kib * 1024;
    }
    return -1;
  }
  // What the traced calls did to RSS, by the page walk.
  static std::int64_t taken_by_calls(const CsvTable& events) {
    std::int64_t taken = 0;
    for (std::size_t row = 0; row < events.size(); ++row) {
      taken -= events.number(row, "rss_delta_bytes").value_or(0);
    }
    return taken;
  }

  CsvTable changes_;
};

// One thread, nothing else at work: to the page.
TEST_F(ExactTest, EveryPageHasItsCause) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_exactly());
  ASSERT_TRUE(step('d').is_object());
  ASSERT_TRUE(step('w').is_object());
  ASSERT_TRUE(step('u').is_object());
  const std::int64_t rss = rss_now();
  ASSERT_NO_FATAL_FAILURE(end_exact_trace());
  const std::int64_t counted = start_rss() + sum("rss_delta_bytes");
  print("start", start_rss(), "faults", sum("gained_bytes", "fault"), "releases", sum("lost_bytes", "release"),
        "| counted", counted, "smaps", rss, "| by the walk", taken_by_calls(events()));
  const std::int64_t uncounted = kUncountedPages * kPage;
  EXPECT_LE(counted, rss);
  EXPECT_GE(counted, rss - uncounted);
  // All of it, and a quarter of it again.
  EXPECT_EQ(sum("lost_bytes", "release"), mapped_ + mapped_ / 4);
  EXPECT_EQ(taken_by_calls(events()), sum("lost_bytes", "release"));
  EXPECT_GE(sum("gained_bytes", "fault"), mapped_ / 2 - uncounted);
  EXPECT_LE(sum("gained_bytes", "fault"), mapped_ / 2 + kMiB);
  EXPECT_EQ(sum("gained_bytes", "release"), 0);
}

// Threads that fault and release at once: the sum stays right to the page, and what is
// taken for a fault that was a release, or the other way round, is little.
TEST_F(ExactTest, ThreadsDoNotMixUpMuch) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "64", "--threads", "4", "--seconds", "2", "--ops-per-second", "2000"}));
  ASSERT_NO_FATAL_FAILURE(trace_exactly());
  ASSERT_TRUE(step('t').is_object());
  const std::int64_t rss = rss_now();
  ASSERT_NO_FATAL_FAILURE(end_exact_trace());
  const std::int64_t counted = start_rss() + sum("rss_delta_bytes");
  const std::int64_t by_walk = taken_by_calls(events());
  const std::int64_t by_count = sum("lost_bytes", "release");
  print("counted", counted, "smaps", rss, "| releases by the count", by_count, "by the walk", by_walk, "| faults",
        sum("gained_bytes", "fault"));
  EXPECT_LE(counted, rss);
  EXPECT_GE(counted, rss - 5 * kUncountedPages * kPage);
  ASSERT_GT(by_walk, 100 * kMiB);
  EXPECT_NEAR(static_cast<double>(by_count), static_cast<double>(by_walk), 0.01 * static_cast<double>(by_walk));
}

// Lazily freed pages that the kernel takes: RSS falls by that hand, and by as much as is
// told to be reclaimed.
TEST_F(ExactTest, ReclaimHasAHand) {
  const PressureGroup group;
  ASSERT_TRUE(group.made()) << group.why_not();
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}, &group));
  ASSERT_NO_FATAL_FAILURE(trace_exactly());
  ASSERT_TRUE(step('f').is_object());
  group.take(16 * kMiB);
  const json left = step('s');
  ASSERT_TRUE(left.is_object());
  ASSERT_NO_FATAL_FAILURE(end_exact_trace());
  lazy_.reset();  // before the group goes
  const std::int64_t gone = mapped_ - left.at("resident_bytes").get<std::int64_t>();
  print("reclaimed: of lazily freed pages", bytes_of("reclaimed"), "truth", gone, "| by the count",
        sum("lost_bytes", "reclaim"), "by memcg", sum("lost_bytes", "reclaim", "memcg"), "of it files",
        -sum("file_delta_bytes", "reclaim"));
  EXPECT_GE(gone, 12 * kMiB);
  EXPECT_EQ(bytes_of("reclaimed"), gone);
  // Pages of its program and libraries may go too; and what DAMON takes is not the group's.
  EXPECT_EQ(-sum("anon_delta_bytes", "reclaim"), gone);
  EXPECT_GE(sum("lost_bytes", "reclaim", "memcg"), 12 * kMiB);
  EXPECT_EQ(sum("gained_bytes", "reclaim"), 0);
}

// A program that another replaces, and that then ends: all that is left goes then, and
// nothing is made out to be reclaimed or released.
TEST_F(ExactTest, AllThatIsLeftGoesAtTheEnd) {
  trace_ = start_trace({"--exact", "--", "/bin/sh", "-c", "exec /bin/true"});
  ASSERT_TRUE(trace_);
  ASSERT_EQ(trace_->wait().value_or(-1), 0) << trace_->errors();
  const Result<CsvTable> table = CsvTable::read(file("rss_changes.csv"));
  ASSERT_HAS_VALUE(table);
  changes_ = *table;
  // The child of the tracer, the shell, true: each has RSS when it begins, and each goes.
  const auto exits = changes_.rows_where("cause", "exit");
  EXPECT_EQ(exits.size(), 3U);
  for (const std::size_t row : exits) EXPECT_GT(changes_.number(row, "lost_bytes").value_or(0), 0);
  EXPECT_EQ(sum("lost_bytes", "reclaim"), 0);
  EXPECT_EQ(sum("lost_bytes", "other"), 0);
  EXPECT_GT(sum("gained_bytes", "fault"), 100 * kPage);
  EXPECT_LT(sum("lost_bytes", "fault"), sum("gained_bytes", "fault") / 4);
}

}  // namespace
}  // namespace madvtrace
