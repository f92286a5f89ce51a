// SPDX-License-Identifier: Apache-2.0
// replay(record(run)) writes the same files, byte for byte: whatever the tables say
// came out of the stream.
#include <filesystem>
#include <set>
#include <string>

#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

class ReplayTest : public LiveTest {
 protected:
  std::string recording() const { return directory_ / "run.mv"; }
  void expect_same_files_from_replay(int exit_code);
};

void ReplayTest::expect_same_files_from_replay(int exit_code) {
  const std::string again = directory_ / "again";
  const Result<Outcome> replay = run_madvtrace({"replay", recording(), "-q", "-o", again});
  ASSERT_HAS_VALUE(replay);
  EXPECT_EQ(replay->exit_code, exit_code) << replay->errors;
  EXPECT_EQ(names_in(output()), names_in(again));
  for (const char* name : {"events.csv", "releases.csv", "samples.csv", "stacks.csv", "summary.json"}) {
    EXPECT_TRUE(names_in(again).contains(name)) << name;
  }
  for (const std::string& name : names_in(output())) {
    EXPECT_TRUE(test::read_all(file(name)) == test::read_all(again + "/" + name)) << name << " differs";
  }
}

TEST_F(ReplayTest, ManyThreads) {
  const auto program = start_program(
      "truth", {"--truth", directory_ / "truth.csv", "--workers", "4", "--faulters", "1", "--ops", "1000"});
  ASSERT_TRUE(program);
  const auto trace = start_trace(
      {"-p", program->pid_text(), "--record", recording(), "-i", "50ms", "--label", "a=b", "--ring-size", "256MiB"});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(program->work());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_GT(events().size(), 4000U);
  expect_same_files_from_replay(0);
}

TEST_F(ReplayTest, ChildrenAndAnExec) {
  const auto trace = start_trace({"-f", "--record", recording(), "--", "/bin/sh", "-c",
                                  traced_program_path("script") + " fork --no-start-gate --no-wait-exit; " +
                                      traced_program_path("script") + " weird-comm --no-start-gate --no-wait-exit"});
  ASSERT_TRUE(trace);
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace->errors();
  expect_same_files_from_replay(0);
}

// Fates of pages that were released lazily, looks and reclaim among them.
TEST_F(ReplayTest, LazyReleases) {
  const auto program = start_program("lazy", {"--mib", "8", "--threads", "4", "--seconds", "2"});
  ASSERT_TRUE(program);
  ASSERT_HAS_VALUE(program->work());
  const auto trace =
      start_trace({"-p", program->pid_text(), "--record", recording(), "-i", "20ms", "--ring-size", "256MiB"});
  ASSERT_TRUE(trace);
  for (const char* step : {"f", "w", "t", "d", "w", "f"}) {
    ASSERT_HAS_VALUE(program->process().write_input(step));
    ASSERT_HAS_VALUE(program->read_json());
  }
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  const Result<CsvTable> releases = CsvTable::read(file("releases.csv"));
  ASSERT_HAS_VALUE(releases);
  for (const char* fate : {"freed", "rewritten", "superseded"}) {
    EXPECT_FALSE(releases->rows_where("fate", fate).empty()) << fate;
  }
  expect_same_files_from_replay(0);
}

// Rows that waited for their cause.
TEST_F(ReplayTest, CausesOfAGoProgram) {
  const auto program = start_program("causes_stripped", {});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text(), "--record", recording(), "-i", "20ms"});
  ASSERT_TRUE(trace);
  for (const char* step : {"o", "g", "a", "l", "b"}) {
    ASSERT_HAS_VALUE(program->process().write_input(step));
    ASSERT_HAS_VALUE(program->read_json());
  }
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_FALSE(events().rows_where("cause", "background").empty());
  expect_same_files_from_replay(0);
}

// A trace with losses replays with the same losses, and the same exit code.
TEST_F(ReplayTest, Losses) {
  const auto program = start_program("script", {"storm", "--calls", "20000"});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text(), "--record", recording(), "--ring-size", "64KiB"});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(trace->process().suspend());
  ASSERT_HAS_VALUE(program->work());
  ASSERT_HAS_VALUE(trace->process().signal(SIGCONT));
  const Result<int> code = trace->interrupt();
  ASSERT_HAS_VALUE(code);
  ASSERT_EQ(*code, 4) << trace->errors();
  expect_same_files_from_replay(4);
}

// Made from a recording, too: a stream that stops in the middle is called incomplete.
TEST_F(ReplayTest, CutOffRecording) {
  const auto program = start_program("script", {"threads"});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text(), "--record", recording()});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(program->work());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  fs::resize_file(recording(), fs::file_size(recording()) - 10);
  const std::string again = directory_ / "again";
  const Result<Outcome> replay = run_madvtrace({"replay", recording(), "-q", "-o", again});
  ASSERT_HAS_VALUE(replay);
  EXPECT_EQ(replay->exit_code, 4) << replay->errors;
  const nlohmann::json told = nlohmann::json::parse(test::read_all(again + "/summary.json"), nullptr, false);
  ASSERT_TRUE(told.is_object());
  EXPECT_FALSE(told.at("complete").get<bool>());
}

}  // namespace
}  // namespace madvtrace
