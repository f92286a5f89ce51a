// SPDX-License-Identifier: Apache-2.0
// What is written where, and what happens when it cannot be.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"
#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

namespace fs = std::filesystem;

class OutputTest : public LiveTest {
 protected:
  // Traces one small scenario into output().
  void trace_something(const std::vector<std::string>& arguments);
};

void OutputTest::trace_something(const std::vector<std::string>& arguments) {
  const auto program = start_program("script", {"enomem-hole"});
  ASSERT_TRUE(program);
  std::vector<std::string> all{"-p", program->pid_text()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const auto trace = start_trace(all);
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(program->work());
  end_cleanly(*trace);
}

std::string first_line(const std::string& path) {
  const std::string text = test::read_all(path);
  return text.substr(0, text.find('\n'));
}

TEST_F(OutputTest, TheTablesHaveTheirColumns) {
  trace_something({});
  if (HasFatalFailure()) return;
  EXPECT_TRUE(first_line(file("events.csv"))
                  .starts_with("ts_ns,mono_ns,pid,tid,comm,cgroup_id,call,advice,addr,len_bytes,ret,dur_ns,"
                               "resident_bytes,lazyfree_bytes,swap_bytes,rss_delta_bytes,quality,cause,stack_id"));
  EXPECT_TRUE(first_line(file("samples.csv"))
                  .starts_with("ts_ns,mono_ns,pid,rss_bytes,rss_anon_bytes,rss_file_bytes,rss_shmem_bytes,swap_bytes,"
                               "lazyfree_bytes,pending_bytes,page_tables_bytes,anon_huge_bytes,cgroup_usage_bytes,"
                               "cgroup_working_set_bytes,cgroup_inactive_file_bytes,cgroup_limit_bytes,"
                               "go_heap_sys_bytes,go_heap_inuse_bytes,go_heap_idle_bytes,go_heap_released_bytes,"
                               "go_stack_inuse_bytes,go_next_gc_bytes,go_num_gc,go_pause_total_ns,go_mallocs,"
                               "go_frees"));
  EXPECT_TRUE(first_line(file("stacks.csv")).starts_with("stack_id,frames"));
  const nlohmann::json told = summary();
  for (const char* key : {"schema", "argv", "version", "kernel", "tier", "capabilities", "labels", "started_ts_ns",
                          "duration_ns", "processes", "totals", "delays", "lost", "self", "complete"}) {
    EXPECT_TRUE(told.contains(key)) << key;
  }
  const CsvTable table = events();
  ASSERT_EQ(table.size(), 1U);
  const Result<CsvTable> stacks = CsvTable::read(file("stacks.csv"));
  ASSERT_HAS_VALUE(stacks);
  EXPECT_EQ(stacks->rows_where("stack_id", table.at(0, "stack_id")).size(), 1U);
  const Result<CsvTable> samples = CsvTable::read(file("samples.csv"));
  ASSERT_HAS_VALUE(samples);
  EXPECT_GE(samples->size(), 2U) << "one at the start and one at the end";
}

// A trace says what a program did: nobody else's business.
TEST_F(OutputTest, OnlyTheOwnerMayRead) {
  ::umask(0);
  trace_something({"--record", directory_ / "run.mv"});
  if (HasFatalFailure()) return;
  std::vector<fs::path> files{directory_ / "run.mv"};
  for (const auto& entry : fs::directory_iterator(output())) files.push_back(entry.path());
  EXPECT_GE(files.size(), 5U);
  for (const fs::path& path : files) {
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write) << path;
  }
  EXPECT_EQ(fs::status(output()).permissions(), fs::perms::owner_all);
}

TEST_F(OutputTest, LabelsAreKept) {
  trace_something({"--label", "service=cart", "--label", "env=a=b"});
  if (HasFatalFailure()) return;
  EXPECT_EQ(summary().at("labels"), (nlohmann::json{{"service", "cart"}, {"env", "a=b"}}));
}

TEST_F(OutputTest, DirectoryThatIsNotEmptyIsRefused) {
  fs::create_directory(output());
  test::write_all(file("precious"), "data");
  const auto program = start_program("script", {"idle"});
  ASSERT_TRUE(program);
  const Result<Outcome> outcome = run_madvtrace({"-p", program->pid_text(), "-o", output()});
  ASSERT_HAS_VALUE(outcome);
  EXPECT_EQ(outcome->exit_code, 2) << outcome->errors;
  EXPECT_NE(outcome->errors.find(output()), std::string::npos) << outcome->errors;
  EXPECT_EQ(test::read_all(file("precious")), "data");
  EXPECT_EQ(std::distance(fs::directory_iterator(output()), {}), 1);
}

TEST_F(OutputTest, RecordingThatExistsIsRefused) {
  const std::string recording = directory_ / "run.mv";
  test::write_all(recording, "precious");
  const auto program = start_program("script", {"idle"});
  ASSERT_TRUE(program);
  const Result<Outcome> outcome = run_madvtrace({"-p", program->pid_text(), "-o", output(), "--record", recording});
  ASSERT_HAS_VALUE(outcome);
  EXPECT_EQ(outcome->exit_code, 2) << outcome->errors;
  EXPECT_EQ(test::read_all(recording), "precious");
  EXPECT_FALSE(fs::exists(output()));
}

// As in `madvtrace --csv events | head -1`.
TEST_F(OutputTest, ReaderThatGoesAwayEndsTheTraceQuietly) {
  const auto program = start_program("script", {"storm", "--calls", "2000000000"});
  ASSERT_TRUE(program);
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  const auto trace = MadvtraceRun::start({"-p", program->pid_text(), "--csv", "events", "-q"}, write_end.get());
  ASSERT_HAS_VALUE(trace);
  write_end.reset();
  ASSERT_HAS_VALUE(program->go());
  char byte = 0;
  ASSERT_EQ(::read(read_end.get(), &byte, 1), 1);
  read_end.reset();
  const Result<int> code = (*trace)->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_TRUE(*code == 0 || *code == 4) << *code << ": " << (*trace)->errors();
  // Nothing about the pipe; only a loss may be worth a line.
  EXPECT_TRUE(*code == 4 || (*trace)->errors().empty()) << (*trace)->errors();
  EXPECT_EQ((*trace)->errors().find("pipe"), std::string::npos) << (*trace)->errors();
}

TEST_F(OutputTest, FullDiskIsAnError) {
  const auto program = start_program("script", {"storm", "--calls", "2000000000"});
  ASSERT_TRUE(program);
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  const auto trace = MadvtraceRun::start({"-p", program->pid_text(), "--csv", "events", "-q"}, full.get());
  ASSERT_HAS_VALUE(trace);
  ASSERT_HAS_VALUE(program->go());
  const Result<int> code = (*trace)->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 1) << (*trace)->errors();
  EXPECT_NE((*trace)->errors().find("No space left on device"), std::string::npos) << (*trace)->errors();
}

TEST_F(OutputTest, TableOnStandardOutput) {
  const auto program = start_program("script", {"enomem-hole"});
  ASSERT_TRUE(program);
  const auto trace = MadvtraceRun::start({"-p", program->pid_text(), "--csv", "events", "-q"});
  ASSERT_HAS_VALUE(trace);
  const Result<nlohmann::json> truth = program->work();
  ASSERT_HAS_VALUE(truth);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(**trace));
  const Result<CsvTable> table = CsvTable::parse((*trace)->output());
  ASSERT_HAS_VALUE(table);
  expect_calls(*truth, *table);
}

}  // namespace
}  // namespace madvtrace
