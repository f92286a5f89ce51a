// SPDX-License-Identifier: Apache-2.0
// More than can be followed: whatever is lost is counted, to the call, nothing after it is
// wrong, and the program pays nothing for a tracer that is slow.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/live/burst_test.h"
#include "tests/live/lazy_test.h"

namespace madvtrace {
namespace {

class LoadTest : public BurstTest {
 protected:
  // seen + lost = made, for the calls of this burst; the calls in `more_rows` are others of it.
  void expect_balance(std::int64_t made, std::int64_t more_rows = 0);
};

void LoadTest::expect_balance(std::int64_t made, std::int64_t more_rows) {
  const json told = summary();
  const CsvTable table = events();
  const auto seen = static_cast<std::int64_t>(table.rows_where("pid", burst_->pid_text()).size()) - more_rows;
  print("seen", seen, "lost", told.at("lost"), "made", made);
  EXPECT_EQ(seen + lost_calls(told), made) << told.at("lost");
  EXPECT_EQ(told.at("totals").at("event_rows"), table.size());
  EXPECT_EQ(told.at("complete").get<bool>(), told.at("lost").empty());
}

// The calls that a step 'k' tells are these rows, as they were made.
void expect_known_calls(const json& truth, const CsvTable& events, const std::vector<std::size_t>& rows,
                        std::size_t first) {
  const auto& calls = truth.at("calls");
  ASSERT_LE(first + calls.size(), rows.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    expect_call(calls[i], events, rows[first + i]);
    EXPECT_EQ(events.at(rows[first + i], "quality"), "exact") << events.text(rows[first + i]);
  }
}

// A tracer that does not run for five seconds, and a ring that is full after a moment.
TEST_F(LoadTest, WhatIsLostWhileTheTracerStandsStillIsCounted) {
  constexpr std::chrono::seconds kStandsStill{5};
  constexpr std::int64_t kHeapCalls = 16;  // 1 MiB in pieces of 64 KiB
  ASSERT_NO_FATAL_FAILURE(start_burst({"--threads", "2", "--milliseconds", "4500", "--heap-mib", "1"}));
  const auto trace = start_trace({"-p", burst_->pid_text(), "--ring-size", "256KiB", "-i", "100ms"});
  ASSERT_TRUE(trace);
  const json before = step('k');
  ASSERT_TRUE(before.is_object());
  const json freed = step('f');
  ASSERT_TRUE(freed.is_object());
  ASSERT_NO_FATAL_FAILURE(wait_until_drained());

  ASSERT_HAS_VALUE(trace->process().suspend());
  const auto continue_at = std::chrono::steady_clock::now() + kStandsStill;
  const json storm = step('b');
  ASSERT_TRUE(storm.is_object());
  std::this_thread::sleep_until(continue_at);
  ASSERT_HAS_VALUE(trace->process().signal(SIGCONT));
  ASSERT_NO_FATAL_FAILURE(wait_until_drained());

  ASSERT_TRUE(step('w').is_object());
  const json after = step('k');
  ASSERT_TRUE(after.is_object());
  const Result<int> code = trace->interrupt();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 4) << trace->errors();
  EXPECT_GT(lost_calls(summary()), 0) << "nothing was lost: the test asks nothing";
  EXPECT_FALSE(summary().at("complete").get<bool>());

  // The storm is of two other threads.
  const std::size_t known = before.at("calls").size();
  const std::size_t others = 2 * known + kHeapCalls;
  ASSERT_NO_FATAL_FAILURE(expect_balance(storm.at("calls_made"), static_cast<std::int64_t>(others)));
  const CsvTable table = events();
  const std::vector<std::size_t> rows = calls_of_thread(table, burst_->pid_text());
  ASSERT_EQ(rows.size(), others);
  ASSERT_NO_FATAL_FAILURE(expect_known_calls(before, table, rows, 0));
  ASSERT_NO_FATAL_FAILURE(expect_known_calls(after, table, rows, others - known));

  // What a call did by itself, its own records tell. What became of pages later is told by
  // others: after the loss one of them may be missing.
  const Result<CsvTable> releases = CsvTable::read(file("releases.csv"));
  ASSERT_HAS_VALUE(releases);
  std::int64_t before_loss = 0;
  std::int64_t after_loss = 0;
  for (const std::size_t row : releases->rows_where("tid", burst_->pid_text())) {
    const std::string& quality = releases->at(row, "quality");
    if (releases->at(row, "fate") == "freed") {
      EXPECT_EQ(quality, "exact") << releases->text(row);
    } else {
      (quality == "after_loss" ? after_loss : before_loss) += releases->number(row, "bytes").value_or(0);
    }
  }
  constexpr std::int64_t kKnownLazyBytes = 5 * kPage;
  print("bytes with a fate before the loss", before_loss, "after it", after_loss);
  EXPECT_EQ(before_loss, kKnownLazyBytes);
  EXPECT_EQ(after_loss, freed.at("released_bytes").get<std::int64_t>() + kKnownLazyBytes);
  expect_unharmed(storm);
}

// Hardly any of the processor: four others want it, and the tracer is last in the queue.
TEST_F(LoadTest, WhatIsLostBesideHogsIsCounted) {
  constexpr int kHogs = 4;
  constexpr int kNicest = 19;
  ASSERT_NO_FATAL_FAILURE(start_burst({"--milliseconds", "2000"}));
  const auto trace = start_trace({"-p", burst_->pid_text(), "--ring-size", "64KiB"});
  ASSERT_TRUE(trace);
  ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(trace->process().pid()), kNicest), 0);
  std::vector<std::unique_ptr<ChildProcess>> hogs;
  for (int i = 0; i < kHogs; ++i) {
    Result<std::unique_ptr<ChildProcess>> hog =
        ChildProcess::spawn({.argv = {"sh", "-c", "echo begun; while :; do :; done"}});
    ASSERT_HAS_VALUE(hog);
    ASSERT_HAS_VALUE((*hog)->read_line());
    hogs.push_back(std::move(*hog));
  }
  const json storm = step('b');
  ASSERT_TRUE(storm.is_object());
  hogs.clear();
  const Result<int> code = trace->interrupt();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, lost_calls(summary()) > 0 ? 4 : 0) << trace->errors();
  expect_balance(storm.at("calls_made"));
  expect_unharmed(storm);
}

// Reads what a trace prints, at a pace, until it is told that it may hurry.
class PacedReader {
 public:
  static constexpr std::size_t kSlowBytesPerSecond = 64 << 10;

  PacedReader(UniqueFd from, bool slow) : from_(std::move(from)), slow_(slow), thread_([this] { read(); }) {}
  ~PacedReader() {
    if (thread_.joinable()) thread_.join();
  }
  PacedReader(const PacedReader&) = delete;
  PacedReader& operator=(const PacedReader&) = delete;

  void hurry() { slow_ = false; }
  // Once the trace has ended.
  const std::string& text() {
    thread_.join();
    return text_;
  }

 private:
  void read() {
    constexpr std::size_t kPiece = 4096;
    constexpr auto kPause = std::chrono::microseconds(std::int64_t{1'000'000} * kPiece / kSlowBytesPerSecond);
    std::array<char, kPiece> buffer{};
    for (ssize_t got = 0; (got = ::read(from_.get(), buffer.data(), buffer.size())) > 0;) {
      text_.append(buffer.data(), static_cast<std::size_t>(got));
      if (slow_) std::this_thread::sleep_for(kPause);
    }
  }

  UniqueFd from_;
  std::atomic<bool> slow_;
  std::string text_;
  std::thread thread_;  // last: it uses the others
};

struct Pace {
  json storm;  // what the program tells of it
  std::int64_t lost = 0;
};

// A disk, or a terminal, that takes 64 KiB a second: the tracer waits for it, the program
// does not.
TEST_F(LoadTest, ASlowDiskCostsRowsAndNotTheProgram) {
  constexpr std::int64_t kCalls = 40'000;
  const auto run = [&](bool slow, Pace& pace) {
    ASSERT_NO_FATAL_FAILURE(start_burst({"--calls", std::to_string(kCalls)}));
    std::array<int, 2> fds{};
    ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
    UniqueFd write_end(fds[1]);
    PacedReader reader(UniqueFd{fds[0]}, slow);
    const std::string directory = directory_ / (slow ? "slow" : "fast");
    const auto trace = MadvtraceRun::start(
        {"-q", "-p", burst_->pid_text(), "--csv", "events", "-o", directory, "--ring-size", "256KiB"}, write_end.get());
    write_end.reset();
    ASSERT_HAS_VALUE(trace);
    pace.storm = step('b');
    ASSERT_TRUE(pace.storm.is_object());
    ASSERT_HAS_VALUE((*trace)->process().signal(SIGINT));
    reader.hurry();
    ASSERT_HAS_VALUE((*trace)->wait());
    const Result<CsvTable> table = CsvTable::parse(reader.text());
    ASSERT_HAS_VALUE(table);
    const json told = json::parse(test::read_all(directory + "/summary.json"), nullptr, false);
    ASSERT_TRUE(told.is_object());
    pace.lost = lost_calls(told);
    print(slow ? "slow:" : "fast:", "seen", table->size(), "lost", told.at("lost"), "of", kCalls, pace.storm);
    EXPECT_EQ(static_cast<std::int64_t>(table->size()) + pace.lost, kCalls);
    expect_unharmed(pace.storm);
  };
  Pace fast;
  Pace slow;
  ASSERT_NO_FATAL_FAILURE(run(false, fast));
  ASSERT_NO_FATAL_FAILURE(run(true, slow));
  EXPECT_GT(slow.lost, 0) << "nothing was lost: the test asks nothing";
  // Waiting for that reader would have taken a minute and more.
  const auto ns = [](const Pace& pace, const char* name) { return pace.storm.at(name).get<std::int64_t>(); };
  EXPECT_LE(ns(slow, "wall_ns"), 2 * ns(fast, "wall_ns"));
  EXPECT_LE(ns(slow, "p99_ns"), 2 * ns(fast, "p99_ns"));
}

}  // namespace
}  // namespace madvtrace
