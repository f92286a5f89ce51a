// SPDX-License-Identifier: Apache-2.0
// What becomes of released pages, held against programs that know what they did and
// against the kernel's own books (pagemap, smaps, vmstat): every released byte has one
// fate, and it is the right one. The numbers are printed side by side.
//
// The kernel may take lazily freed pages whenever it likes (DAMON does so without any
// pressure): so "reclaimed" is never an error in itself, and what the program still has
// is looked up, never assumed.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "tests/live/kernel_event_count.h"
#include "tests/live/lazy_test.h"
#include "tests/live/pressure_group.h"

namespace madvtrace {
namespace {

using nlohmann::json;

std::int64_t utc_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// The tracepoint vmscan:mm_vmscan_reclaim_pages, by its name in the kernel's type information.
bool kernel_tells_of_reclaim_pages() {
  return test::read_all("/sys/kernel/btf/vmlinux").find("btf_trace_mm_vmscan_reclaim_pages") != std::string::npos;
}

// Whoever reclaims besides a memory cgroup: in the same moment it can have been either's
// hand. DAMON takes thousands of pages at once, every few seconds, on some machines.
class OtherReclaims {
 public:
  std::uint64_t count() const { return damon_.count() + direct_.count() + kswapd_wakes_.count() + kswapd_.count(); }

 private:
  KernelEventCount damon_{"vmscan", "mm_vmscan_reclaim_pages"};
  KernelEventCount direct_{"vmscan", "mm_vmscan_direct_reclaim_begin"};
  KernelEventCount kswapd_wakes_{"vmscan", "mm_vmscan_kswapd_wake"};
  KernelEventCount kswapd_{"vmscan", "mm_vmscan_kswapd_sleep"};
};

class FatesTest : public LazyTest {
 protected:
  void pressure(const PressureGroup& group, std::int64_t bytes);
};

TEST_F(FatesTest, WithoutPressureItStays) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  const json freed = step('f');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  expect_pending(freed, after);
  EXPECT_EQ(released("MADV_FREE"), mapped_);
  EXPECT_EQ(bytes_of("pending") + bytes_of("reclaimed"), mapped_);
  // In pieces of 64 KiB, one below the other: few releases, not 512.
  EXPECT_LT(releases_.size(), 256U);
  EXPECT_EQ(releases_.rows_where("advice", "MADV_FREE").size(), releases_.size());
}

TEST_F(FatesTest, WrittenAgain) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('f').is_object());
  const json written = step('w');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  print("rewritten", bytes_of("rewritten"), "truth", mapped_ / 2);
  // A page that the kernel took before it was written is resident and dirty like one
  // that it did not take, unless somebody looked in between.
  EXPECT_LE(bytes_of("rewritten"), mapped_ / 2);
  EXPECT_GE(bytes_of("rewritten") + bytes_of("reclaimed"), mapped_ / 2);
  if (bytes_of("reclaimed") == 0) {
    EXPECT_EQ(bytes_of("rewritten"), mapped_ / 2);
  }
  EXPECT_EQ(released("MADV_FREE"), mapped_);
  expect_pending(written, after);
}

TEST_F(FatesTest, DontneedFreesAtOnce) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  const json given = step('d');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  EXPECT_EQ(given.at("resident_bytes"), 0);
  print("freed", bytes_of("freed"), "truth", mapped_);
  EXPECT_EQ(bytes_of("freed"), mapped_);
  EXPECT_EQ(released("MADV_DONTNEED"), mapped_);
  EXPECT_EQ(last_sample("pending_bytes"), 0);
  const CsvTable calls = events();
  std::int64_t longest_ns = 0;
  for (const std::size_t row : rows_of(calls, lazy_->pid(), "madvise")) {
    longest_ns = std::max(longest_ns, calls.number(row, "dur_ns").value_or(0));
  }
  for (std::size_t row = 0; row < releases_.size(); ++row) {
    EXPECT_EQ(releases_.at(row, "fate"), "freed") << releases_.text(row);
    EXPECT_EQ(releases_.number(row, "delay_min_ns"), 0) << releases_.text(row);
    EXPECT_LE(releases_.number(row, "delay_max_ns").value_or(-1), longest_ns) << releases_.text(row);
  }
}

// Released lazily, then for good; and a part of it unmapped.
TEST_F(FatesTest, ReleasedAgainAndUnmapped) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('f').is_object());
  ASSERT_TRUE(step('d').is_object());
  ASSERT_TRUE(step('w').is_object());
  ASSERT_TRUE(step('f').is_object());
  const json unmapped = step('u');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  const std::int64_t reclaimed = bytes_of("reclaimed");
  print("superseded", bytes_of("superseded"), "truth", mapped_, "unmapped", bytes_of("unmapped"), "truth", mapped_ / 4);
  EXPECT_EQ(released("MADV_FREE"), mapped_ + mapped_ / 2);
  EXPECT_EQ(bytes_of("rewritten"), 0);
  for (const auto& [fate, truth] :
       {std::pair{"superseded", mapped_}, std::pair{"unmapped", mapped_ / 4}, std::pair{"pending", mapped_ / 4}}) {
    EXPECT_LE(bytes_of(fate), truth) << fate;
    EXPECT_GE(bytes_of(fate) + reclaimed, truth) << fate;
  }
  EXPECT_EQ(bytes_of("superseded") + bytes_of("unmapped") + bytes_of("pending") + reclaimed, mapped_ + mapped_ / 2);
  expect_pending(unmapped, after);
}

// `bytes`: how much of the group is to go, 0 for all.
void FatesTest::pressure(const PressureGroup& group, std::int64_t bytes) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "64"}, &group));
  const OtherReclaims others;
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"-i", "100ms"}));
  ASSERT_TRUE(step('f').is_object());
  const json before = step('s');
  const std::int64_t lazyfreed_before = vmstat({"pglazyfreed"});
  const std::int64_t from_ns = utc_now();
  if (bytes == 0) {
    group.take_all();
  } else {
    group.take(bytes);
  }
  const std::int64_t to_ns = utc_now();
  const std::int64_t lazyfreed = (vmstat({"pglazyfreed"}) - lazyfreed_before) * kPage;
  const json pressed = step('s');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const std::uint64_t others_ran = others.count();
  const json after = step('s');

  const std::int64_t fell = before.at("lazy_bytes").get<std::int64_t>() - pressed.at("lazy_bytes").get<std::int64_t>();
  // By the clock of the tracer, whose idea of UTC is renewed once an interval.
  constexpr std::int64_t kClockSlackNs = 1'000'000;
  std::int64_t by_memcg = 0;
  std::int64_t by_others = 0;  // and by nobody who could be named
  std::int64_t widest_ns = 0;
  for (const std::size_t row : releases_.rows_where("fate", "reclaimed")) {
    const std::int64_t released_ns = releases_.number(row, "released_ts_ns").value_or(0);
    const std::int64_t earliest_ns = released_ns + releases_.number(row, "delay_min_ns").value_or(0) - kClockSlackNs;
    const std::int64_t latest_ns = released_ns + releases_.number(row, "delay_max_ns").value_or(0) + kClockSlackNs;
    const std::int64_t row_bytes = releases_.number(row, "bytes").value_or(0);
    if (releases_.at(row, "by") != "memcg") {
      by_others += row_bytes;
      continue;
    }
    EXPECT_TRUE(earliest_ns <= to_ns && latest_ns >= from_ns)
        << "pressure " << from_ns << " to " << to_ns << ", said to be gone " << earliest_ns << " to " << latest_ns
        << ": " << releases_.text(row);
    by_memcg += row_bytes;
    widest_ns = std::max(widest_ns, latest_ns - earliest_ns);
  }
  print("reclaimed", bytes_of("reclaimed"), "by memcg", by_memcg, "by others", by_others, "| pglazyfreed", lazyfreed,
        "pagemap", fell, "| others ran", others_ran, "| widest interval", widest_ns / 1000, "us, pressure",
        (to_ns - from_ns) / 1000, "us");
  const std::int64_t total_fell = mapped_ - pressed.at("lazy_bytes").get<std::int64_t>();
  const std::int64_t later = pressed.at("lazy_bytes").get<std::int64_t>() - after.at("lazy_bytes").get<std::int64_t>();
  EXPECT_GE(bytes_of("reclaimed"), total_fell);
  EXPECT_LE(bytes_of("reclaimed"), total_fell + later);
  EXPECT_GE(lazyfreed, fell) << "other processes' pages may be among pglazyfreed, but not fewer";
  EXPECT_EQ(by_memcg + by_others, bytes_of("reclaimed"));
  if (others_ran == 0) {
    EXPECT_EQ(by_others, 0);
  }
  EXPECT_EQ(released("MADV_FREE"), mapped_);
  expect_pending(pressed, after);
  if (bytes == 0) {
    EXPECT_EQ(bytes_of("pending"), 0);
  } else {
    EXPECT_GT(bytes_of("reclaimed"), 0);
    EXPECT_GT(bytes_of("pending"), 0);
    EXPECT_GE(fell + by_others, bytes / 2);
  }
}

TEST_F(FatesTest, UnderPressureItGoes) {
  const PressureGroup group;
  ASSERT_TRUE(group.made()) << group.why_not();
  pressure(group, 0);
  trace_.reset();
  lazy_.reset();
}

TEST_F(FatesTest, UnderSomePressureSomeGoes) {
  const PressureGroup group;
  ASSERT_TRUE(group.made()) << group.why_not();
  pressure(group, 16 * kMiB);
  trace_.reset();
  lazy_.reset();
}

// What the next release finds gone is reclaimed, and not its own doing.
TEST_F(FatesTest, ReleasedAgainAfterPressure) {
  const PressureGroup group;
  ASSERT_TRUE(group.made()) << group.why_not();
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}, &group));
  const OtherReclaims others;
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"-i", "10s"}));
  ASSERT_TRUE(step('f').is_object());
  group.take_all();
  // A call that comes while what was reclaimed before it is not read yet finds it nameless.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ASSERT_TRUE(step('d').is_object());
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const std::uint64_t others_ran = others.count();
  std::int64_t by_memcg = 0;
  for (const std::size_t row : releases_.rows_where("fate", "reclaimed")) {
    if (releases_.at(row, "by") == "memcg") by_memcg += releases_.number(row, "bytes").value_or(0);
  }
  print("reclaimed", bytes_of("reclaimed"), "truth", mapped_, "by memcg", by_memcg, "others ran", others_ran);
  if (others_ran == 0) {
    EXPECT_EQ(by_memcg, mapped_);
  }
  EXPECT_EQ(bytes_of("reclaimed"), mapped_);
  EXPECT_EQ(bytes_of("freed"), 0);
  EXPECT_EQ(bytes_of("superseded"), 0);
  lazy_.reset();
}

// Reclaim of no usual kind: this process has the kernel page the target's memory out.
TEST_F(FatesTest, TakenByAnotherProcess) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  const json freed = step('f');
  ASSERT_TRUE(freed.is_object());
  const UniqueFd target(static_cast<int>(::syscall(SYS_pidfd_open, lazy_->pid(), 0)));
  ASSERT_TRUE(target);
  const KernelEventCount damon("damon", "damos_before_apply");
  const std::uint64_t addr = std::stoull(freed.at("addr").get<std::string>(), nullptr, 16);
  const iovec range{.iov_base = reinterpret_cast<void*>(addr), .iov_len = static_cast<std::size_t>(mapped_)};
  const std::int64_t before = vmstat({"pglazyfreed"});
  ASSERT_EQ(::syscall(SYS_process_madvise, target.get(), &range, 1, MADV_PAGEOUT, 0), mapped_) << std::strerror(errno);
  const std::int64_t lazyfreed = (vmstat({"pglazyfreed"}) - before) * kPage;
  const json taken = step('s');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  std::int64_t by_other = 0;
  std::int64_t by_nobody = 0;
  for (const std::size_t row : releases_.rows_where("fate", "reclaimed")) {
    const std::string& by = releases_.at(row, "by");
    (by == "other" ? by_other : by_nobody) += releases_.number(row, "bytes").value_or(0);
  }
  const std::uint64_t damon_ran = damon.count();
  print("reclaimed", bytes_of("reclaimed"), "by other", by_other, "unnamed or DAMON", by_nobody, "| pglazyfreed",
        lazyfreed, "DAMON ran", damon_ran);
  EXPECT_GE(bytes_of("reclaimed"), mapped_ - taken.at("lazy_bytes").get<std::int64_t>());
  EXPECT_GT(bytes_of("reclaimed"), mapped_ / 2);
  // A kernel before 6.17 does not tell who reclaims by reclaim_pages().
  if (kernel_tells_of_reclaim_pages()) {
    if (damon_ran == 0) {
      EXPECT_EQ(by_other, bytes_of("reclaimed"));
    }
  } else {
    EXPECT_EQ(by_other, 0);
  }
}

// Four threads whose parts share page tables, and looks in between.
TEST_F(FatesTest, ManyThreads) {
  const char* const longer = std::getenv("MADVTRACE_LONG");
  const bool is_long = longer != nullptr && std::string_view(longer) == "1";
  ASSERT_NO_FATAL_FAILURE(
      start_lazy({"--mib", "15", "--threads", "4", "--seconds", is_long ? "60" : "10", "--ops-per-second", "5000"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"-i", "10ms", "--walk-budget", "50%", "--ring-size", "256MiB"}));
  const json worked = step('t');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  ASSERT_TRUE(worked.is_object() && after.is_object());
  const std::int64_t reclaimed = bytes_of("reclaimed");
  const std::int64_t released_truth = worked.at("released_bytes");
  const std::int64_t written_truth = worked.at("written_again_bytes");
  const std::int64_t again_truth = worked.at("released_again_bytes");
  print("released", released("MADV_FREE"), "truth", released_truth, "| rewritten", bytes_of("rewritten"), "truth",
        written_truth, "| superseded", bytes_of("superseded"), "truth", again_truth, "| reclaimed", reclaimed);
  EXPECT_GT(written_truth, 64 * kMiB);
  EXPECT_GT(again_truth, 64 * kMiB);
  if (reclaimed == 0) {
    EXPECT_EQ(released("MADV_FREE"), released_truth);
    EXPECT_EQ(bytes_of("rewritten"), written_truth);
    EXPECT_EQ(bytes_of("superseded"), again_truth);
    EXPECT_EQ(bytes_of("pending"), worked.at("lazy_bytes").get<std::int64_t>());
  } else {
    // A page that was taken and written before anybody looked counts as written.
    EXPECT_LE(released("MADV_FREE"), released_truth);
    EXPECT_NEAR(static_cast<double>(bytes_of("rewritten")), static_cast<double>(written_truth),
                static_cast<double>(reclaimed + released_truth - released("MADV_FREE")));
  }
  expect_pending(worked, after);
}

// The same while the kernel takes what it can, again and again.
TEST_F(FatesTest, ManyThreadsUnderPressure) {
  const PressureGroup group;
  ASSERT_TRUE(group.made()) << group.why_not();
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "15", "--threads", "4", "--seconds", "5"}, &group));
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"-i", "50ms", "--ring-size", "256MiB"}));
  ASSERT_HAS_VALUE(lazy_->process().write_input("t"));
  int times = 0;
  Result<std::string> line = fail("not yet");
  while (!line && times < 1000) {
    group.take_all();
    ++times;
    line = lazy_->process().read_line(std::chrono::milliseconds(50));
  }
  ASSERT_HAS_VALUE(line);
  const json worked = json::parse(*line, nullptr, false);
  ASSERT_TRUE(worked.is_object());
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  print("pressure", times, "times; released", released("MADV_FREE"), "truth at most", worked.at("released_bytes"),
        "| reclaimed", bytes_of("reclaimed"), "rewritten", bytes_of("rewritten"), "truth at most",
        worked.at("written_again_bytes"), "superseded", bytes_of("superseded"), "truth at most",
        worked.at("released_again_bytes"));
  EXPECT_GT(bytes_of("reclaimed"), kMiB);
  EXPECT_LE(released("MADV_FREE"), worked.at("released_bytes").get<std::int64_t>());
  EXPECT_LE(bytes_of("rewritten"), worked.at("written_again_bytes").get<std::int64_t>());
  EXPECT_LE(bytes_of("superseded"), worked.at("released_again_bytes").get<std::int64_t>());
  expect_pending(worked, after);
  lazy_.reset();
}

TEST_F(FatesTest, EndOfTheProcess) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('f').is_object());
  ASSERT_TRUE(step('w').is_object());
  ASSERT_HAS_VALUE(lazy_->process().write_input("x"));
  ASSERT_EQ(trace_->wait().value_or(-1), 0) << trace_->errors();
  ASSERT_NO_FATAL_FAILURE(read_releases());
  EXPECT_EQ(bytes_of("pending"), 0);
  // Whether somebody looked between the writing and the end is not promised.
  EXPECT_GE(bytes_of("exited") + bytes_of("reclaimed"), mapped_ / 2);
  EXPECT_LE(bytes_of("rewritten"), mapped_ / 2);
}

// fork() write-protects what is written, and since 6.6 the dirty bit moves elsewhere.
TEST_F(FatesTest, WrittenAgainThenForked) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('f').is_object());
  ASSERT_TRUE(step('w').is_object());
  const json forked = step('k');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  EXPECT_LE(bytes_of("rewritten"), mapped_ / 2);
  EXPECT_GE(bytes_of("rewritten") + bytes_of("reclaimed"), mapped_ / 2);
  expect_pending(forked, after);
}

// Forked while it is lazily freed: what the parent writes is a copy, and its own.
TEST_F(FatesTest, ForkedThenWrittenAgain) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('f').is_object());
  ASSERT_TRUE(step('k').is_object());
  const json written = step('w');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  EXPECT_LE(bytes_of("rewritten"), mapped_ / 2);
  EXPECT_GE(bytes_of("rewritten") + bytes_of("reclaimed"), mapped_ / 2);
  expect_pending(written, after);
}

// Half of each huge page is given back: RSS falls by it, and the charge does not, for as
// long as the kernel has no need to split the pages.
TEST_F(FatesTest, HalfAHugePageStaysCharged) {
  const PressureGroup group;
  ASSERT_TRUE(group.made()) << group.why_not();
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "64", "--huge"}, &group));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  const std::int64_t charged_before = group.usage_bytes();
  ASSERT_TRUE(step('h').is_object());
  const std::int64_t charged_after = group.usage_bytes();
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const std::int64_t deferred = last_sample("cgroup_deferred_split_bytes");
  print("freed", bytes_of("freed"), "truth", mapped_ / 2, "| charge", charged_before, "->", charged_after, "deferred",
        deferred, "cgroup_usage_bytes", last_sample("cgroup_usage_bytes"));
  EXPECT_EQ(bytes_of("freed"), mapped_ / 2);
  // What the kernel has charged and not yet given to anybody lies in batches.
  constexpr std::int64_t kBatches = 4 * kMiB;
  EXPECT_NEAR(static_cast<double>(last_sample("cgroup_usage_bytes")), static_cast<double>(charged_after), kBatches);
  EXPECT_NEAR(static_cast<double>(deferred), static_cast<double>(bytes_of("freed") - (charged_before - charged_after)),
              kBatches);
  EXPECT_EQ(summary().at("processes").at(0).at("charge_at_end").at("deferred_split_bytes"), deferred);
  // Under pressure the charge follows.
  group.take_all();
  EXPECT_LT(group.usage_bytes(), charged_before - mapped_ / 2 + kBatches);
  trace_.reset();
  lazy_.reset();
}

TEST_F(FatesTest, HugePages) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32", "--huge"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('F').is_object());
  const json written = step('w');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  EXPECT_EQ(released("MADV_FREE"), mapped_);
  EXPECT_LE(bytes_of("rewritten"), mapped_ / 2);
  EXPECT_GE(bytes_of("rewritten") + bytes_of("reclaimed"), mapped_ / 2);
  expect_pending(written, after);
}

// In pieces: the first one splits the huge page.
TEST_F(FatesTest, HugePagesInPieces) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "32", "--huge"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('f').is_object());
  const json written = step('w');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const json after = step('s');
  EXPECT_EQ(released("MADV_FREE"), mapped_);
  EXPECT_LE(bytes_of("rewritten"), mapped_ / 2);
  EXPECT_GE(bytes_of("rewritten") + bytes_of("reclaimed"), mapped_ / 2);
  expect_pending(written, after);
}

// What Go did by default from 1.12 to 1.15.
TEST_F(FatesTest, GoWithMadvFree) {
  ASSERT_EQ(::setenv("GODEBUG", "madvdontneed=0", 1), 0);
  const auto demo = start_program("demo", {"-auto"});
  ::unsetenv("GODEBUG");
  ASSERT_TRUE(demo);
  const std::string recording = directory_ / "run.mv";
  const auto trace = start_trace({"-p", demo->pid_text(), "-d", "8s", "--record", recording});
  ASSERT_TRUE(trace);
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  ASSERT_EQ(*code, 0) << trace->errors();
  ASSERT_NO_FATAL_FAILURE(read_releases());
  EXPECT_FALSE(releases_.rows_where("advice", "MADV_FREE").empty());
  EXPECT_GT(released("MADV_FREE"), 8 * kMiB);

  const std::string again = directory_ / "again";
  const Result<Outcome> replay = run_madvtrace({"replay", recording, "-q", "-o", again});
  ASSERT_HAS_VALUE(replay);
  ASSERT_EQ(replay->exit_code, 0) << replay->errors;
  for (const char* name : {"events.csv", "releases.csv", "samples.csv", "stacks.csv", "summary.json"}) {
    EXPECT_TRUE(test::read_all(file(name)) == test::read_all(again + "/" + name)) << name << " differs";
  }
}

}  // namespace
}  // namespace madvtrace
