// SPDX-License-Identifier: Apache-2.0
// What the live tests share: they trace real programs with the built madvtrace, so they
// need bpf(), and fail where it is refused. Only with MADVTRACE_NO_BPF=1 in the
// environment, for machines that can never allow it, are they skipped there.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/csv_table.h"
#include "tests/support/madvtrace_run.h"
#include "tests/support/temp_directory.h"
#include "tests/support/traced_program.h"

namespace madvtrace {

// Ends the test, with the error's text, where there is no value.
#define ASSERT_HAS_VALUE(result) ASSERT_TRUE((result).has_value()) << (result).error().message
#define EXPECT_HAS_VALUE(result) EXPECT_TRUE((result).has_value()) << (result).error().message

class LiveTest : public testing::Test {
 protected:
  void SetUp() override;

  std::string output() const { return directory_ / "out"; }
  std::string file(const std::string& name) const { return output() + "/" + name; }

  // A program at its gate and a trace of it, into output(). Null after a failure.
  std::unique_ptr<TracedProgram> start_program(const std::string& name, const std::vector<std::string>& arguments);
  std::unique_ptr<MadvtraceRun> start_trace(std::vector<std::string> arguments);

  // SIGINT; expects a clean end.
  void end_cleanly(MadvtraceRun& trace);

  // What the trace wrote; empty, and a failure, if it cannot be read.
  CsvTable events() const;
  nlohmann::json summary() const;

  test::TempDirectory directory_;
};

// The calls of one thread, in order, without the markers.
std::vector<std::size_t> calls_of_thread(const CsvTable& events, const std::string& tid);

// Every call in truth["calls"] stands in `events`, in its thread's order and with the
// values that the truth knows; nothing else does for these threads, but for those in
// truth["unlisted_tids"].
void expect_calls(const nlohmann::json& truth, const CsvTable& events);

// One call against its row.
void expect_call(const nlohmann::json& call, const CsvTable& events, std::size_t row);

// Rows of `pid` for this call.
std::vector<std::size_t> rows_of(const CsvTable& events, pid_t pid, const std::string& call);

}  // namespace madvtrace
