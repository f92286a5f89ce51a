// SPDX-License-Identifier: Apache-2.0
// What goes wrong around a trace: it is killed, its disk is full, it comes and goes a
// thousand times. The program does not notice, and nothing is left behind.
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "kernel/bpf_session.h"
#include "procfs/status.h"
#include "tests/live/burst_test.h"
#include "tests/live/kernel_objects.h"
#include "tests/live/lazy_test.h"

namespace madvtrace {
namespace {

namespace fs = std::filesystem;

class FaultsTest : public BurstTest {
 protected:
  // Until a file of the output is that long.
  void wait_for_bytes(const std::string& path, std::uintmax_t bytes);
};

void FaultsTest::wait_for_bytes(const std::string& path, std::uintmax_t bytes) {
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  std::error_code missing;
  for (std::uintmax_t size = 0; missing || size < bytes; size = fs::file_size(path, missing)) {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << path << " does not grow";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// Every table is one, to the end of its last line.
void expect_whole_tables(const std::string& directory) {
  std::size_t tables = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".csv") continue;
    ++tables;
    EXPECT_HAS_VALUE(CsvTable::read(entry.path()));
  }
  EXPECT_GE(tables, 4U);
}

TEST_F(FaultsTest, KilledInTheMiddleItLeavesNothing) {
  constexpr std::size_t kSomeRowsBytes = 40'000;
  ASSERT_NO_FATAL_FAILURE(start_burst({"--threads", "2", "--milliseconds", "3000"}));
  const std::string recording = directory_ / "run.mv";
  const auto trace = start_trace({"-p", burst_->pid_text(), "-i", "100ms", "--refaults", "--exact", "--record",
                                  recording, "--ring-size", "64MiB"});
  ASSERT_TRUE(trace);
  const KernelObjects objects = kernel_objects_of(trace->process().pid());
  print("BPF objects of a trace:", objects.programs.size(), "programs,", objects.maps.size(), "maps,",
        objects.links.size(), "links");
  ASSERT_FALSE(objects.programs.empty() || objects.maps.empty() || objects.links.empty());
  ASSERT_EQ(still_there(objects).size(), objects.size());

  ASSERT_NO_FATAL_FAILURE(begin_step('b'));
  ASSERT_NO_FATAL_FAILURE(wait_for_bytes(file("events.csv"), kSomeRowsBytes));
  // Stopped before: of a write() that it is killed in, the kernel does not do the rest.
  ASSERT_HAS_VALUE(trace->process().suspend());
  ASSERT_HAS_VALUE(trace->process().signal(SIGKILL));
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 128 + SIGKILL);
  // In a bpffs or anywhere else: what nobody has any more has no id.
  EXPECT_EQ(left_of(objects).text(), "");

  expect_whole_tables(output());
  const std::string again = directory_ / "again";
  const Result<Outcome> replay = run_madvtrace({"replay", recording, "-q", "-o", again});
  ASSERT_HAS_VALUE(replay);
  EXPECT_EQ(replay->exit_code, 4) << replay->errors;
  // It begins as the table does. The names for a call's stack may not have reached it yet.
  constexpr std::size_t kCompared = 50;
  const CsvTable seen = events();
  const Result<CsvTable> replayed = CsvTable::read(again + "/events.csv");
  ASSERT_HAS_VALUE(replayed);
  ASSERT_GE(std::min(seen.size(), replayed->size()), kCompared);
  for (std::size_t row = 0; row < kCompared; ++row) {
    for (const char* column : {"mono_ns", "tid", "call", "addr", "len_bytes", "ret", "dur_ns", "resident_bytes"}) {
      ASSERT_EQ(seen.at(row, column), replayed->at(row, column)) << column << " of " << seen.text(row);
    }
  }

  const json storm = end_step();
  // Another one finds the program as if there had never been one.
  fs::remove_all(output());
  const auto second = start_trace({"-p", burst_->pid_text()});
  ASSERT_TRUE(second);
  const json known = step('k');
  ASSERT_TRUE(known.is_object());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*second));
  expect_calls(known, events());
  expect_unharmed(storm);
}

// A file system of a few pages, for as long as this lives.
class TinyDisk {
 public:
  explicit TinyDisk(std::string directory) : directory_(std::move(directory)) {
    fs::create_directory(directory_);
    mounted_ = ::mount("nodev", directory_.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~TinyDisk() {
    if (mounted_) ::umount2(directory_.c_str(), MNT_DETACH);
  }
  TinyDisk(const TinyDisk&) = delete;
  TinyDisk& operator=(const TinyDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string directory_;
  bool mounted_ = false;
};

TEST_F(FaultsTest, AFullDiskIsOneLine) {
  const TinyDisk disk(directory_ / "disk");
  ASSERT_TRUE(disk.mounted());
  const std::string directory = directory_ / "disk/out";
  ASSERT_NO_FATAL_FAILURE(start_burst({"--milliseconds", "2000"}));
  const auto trace = MadvtraceRun::start({"-q", "-p", burst_->pid_text(), "-o", directory, "--ring-size", "64MiB"});
  ASSERT_HAS_VALUE(trace);
  ASSERT_NO_FATAL_FAILURE(begin_step('b'));
  // It ends by itself: what it cannot write it need not ask for.
  const Result<int> code = (*trace)->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 1);
  const std::string errors = (*trace)->errors();
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  EXPECT_NE(errors.find("No space left on device"), std::string::npos) << errors;
  EXPECT_NE(errors.find(directory), std::string::npos) << errors;
  expect_whole_tables(directory);
  expect_unharmed(end_step());
}

std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

std::int64_t own_memory_bytes() {
  const auto proc = ProcRoot::open("/proc");
  if (!proc) return -1;
  const auto status = read_status(*proc, ::getpid());
  return status ? static_cast<std::int64_t>(status->rss_anon_bytes.value_or(0)) : -1;
}

std::size_t cycles_wanted() {
  constexpr std::size_t kAFew = 12;
  const char* const told = std::getenv("MADVTRACE_CYCLES");
  return told == nullptr ? kAFew : std::strtoull(told, nullptr, 10);
}

class CountRecords : public RecordSink {
 public:
  void on_record(RecordBytes /*record*/) override { ++records; }
  std::size_t records = 0;
};

// MADVTRACE_CYCLES=1000 in the environment for more of them.
TEST_F(FaultsTest, AttachedAndDetachedAgainAndAgainNothingLeaks) {
  constexpr std::size_t kCalls = 50;
  constexpr std::size_t kWarmUp = 4;  // the allocator's own caches, one for each thread
  ASSERT_NO_FATAL_FAILURE(start_burst({"--calls", std::to_string(kCalls)}));
  const auto direct_map = find_direct_map();
  ASSERT_HAS_VALUE(direct_map);
  KernelObjects objects;
  std::size_t files = 0;
  std::int64_t memory_bytes = 0;
  const std::size_t cycles = kWarmUp + cycles_wanted();
  for (std::size_t cycle = 0; cycle < cycles; ++cycle) {
    if (cycle == kWarmUp) {
      files = open_files();
      memory_bytes = own_memory_bytes();
    }
    auto session = BpfSession::load({.direct_map = *direct_map, .refaults = true});
    ASSERT_HAS_VALUE(session);
    ASSERT_HAS_VALUE((*session)->attach_all());
    ASSERT_HAS_VALUE((*session)->add_target(static_cast<std::uint32_t>(burst_->pid()), false));
    const KernelObjects some = kernel_objects_of(::getpid());
    ASSERT_GT(some.links.size(), 0U);
    objects.programs.insert(some.programs.begin(), some.programs.end());
    objects.maps.insert(some.maps.begin(), some.maps.end());
    objects.links.insert(some.links.begin(), some.links.end());
    ASSERT_TRUE(step('b').is_object());
    (*session)->stop_recording();
    (*session)->detach_all();
    CountRecords sink;
    ASSERT_HAS_VALUE((*session)->ring().drain_all(sink));
    ASSERT_GE(sink.records, 2 * kCalls) << "it was not attached at all";
  }
  print("after", cycles - kWarmUp, "cycles: files", files, "->", open_files(), "memory", memory_bytes, "->",
        own_memory_bytes(), "BPF objects that there were:", objects.size(), "left:", left_of(objects).size());
  EXPECT_EQ(open_files(), files);
  EXPECT_EQ(left_of(objects).text(), "");
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed, and reports by itself what was not
  constexpr std::int64_t kMostBytes = std::int64_t{2} << 20;
  EXPECT_LE(own_memory_bytes(), memory_bytes + kMostBytes);
#endif
}

}  // namespace
}  // namespace madvtrace
