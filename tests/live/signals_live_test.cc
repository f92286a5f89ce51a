// SPDX-License-Identifier: Apache-2.0
// The end of a trace, whatever is going on: nothing that happened before it is missing,
// and what was lost on the way is counted.
#include <csignal>
#include <numeric>
#include <string>

#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

class SignalsTest : public LiveTest {
 protected:
  // A program that makes `calls` releases of one page, as fast as it can.
  std::unique_ptr<TracedProgram> start_storm(int calls) {
    return start_program("script", {"storm", "--calls", std::to_string(calls)});
  }
};

// The program says that it is done, and at that moment the tracer is told to stop: what
// it had not read by then is still in the ring.
TEST_F(SignalsTest, TheTailIsNotLost) {
  constexpr int kCalls = 100'000;
  const auto program = start_storm(kCalls);
  ASSERT_TRUE(program);
  // Room for all of it, so that nothing has to be lost.
  const auto trace = start_trace({"-p", program->pid_text(), "--ring-size", "64MiB"});
  ASSERT_TRUE(trace);
  const Result<nlohmann::json> truth = program->work();
  ASSERT_HAS_VALUE(truth);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  ASSERT_EQ(truth->at("calls_made"), kCalls);
  const CsvTable table = events();
  EXPECT_EQ(rows_of(table, program->pid(), "madvise").size(), static_cast<std::size_t>(kCalls));
  EXPECT_TRUE(summary().at("complete").get<bool>());
}

// The same for a tracer that has not run at all since before the first call.
TEST_F(SignalsTest, WhatWaitsInTheRingIsDrained) {
  constexpr int kCalls = 50'000;
  const auto program = start_storm(kCalls);
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text(), "--ring-size", "64MiB"});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(trace->process().suspend());
  ASSERT_HAS_VALUE(program->work());
  ASSERT_HAS_VALUE(trace->process().signal(SIGTERM));
  ASSERT_HAS_VALUE(trace->process().signal(SIGCONT));
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace->errors();
  EXPECT_EQ(rows_of(events(), program->pid(), "madvise").size(), static_cast<std::size_t>(kCalls));
}

// Stopped while the calls keep coming: the files end in a whole line and add up.
TEST_F(SignalsTest, InterruptInTheMiddle) {
  constexpr int kMoreThanItCanMake = 2'000'000'000;
  const auto program = start_storm(kMoreThanItCanMake);
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text(), "--ring-size", "64MiB"});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(program->go());
  const Result<int> code = trace->interrupt();
  ASSERT_HAS_VALUE(code);
  const nlohmann::json told = summary();
  EXPECT_EQ(*code, told.at("complete").get<bool>() ? 0 : 4) << trace->errors();
  EXPECT_EQ(told.at("totals").at("event_rows"), events().size());
}

TEST_F(SignalsTest, LossIsCountedAndTold) {
  constexpr std::size_t kCalls = 20'000;
  const auto program = start_storm(kCalls);
  ASSERT_TRUE(program);
  // Not quiet: what it says of the loss is asked for.
  const auto started = MadvtraceRun::start({"-p", program->pid_text(), "--ring-size", "64KiB", "-o", output()});
  ASSERT_HAS_VALUE(started);
  const auto& trace = *started;
  ASSERT_HAS_VALUE(trace->process().suspend());
  ASSERT_HAS_VALUE(program->work());
  ASSERT_HAS_VALUE(trace->process().signal(SIGCONT));
  const Result<int> code = trace->interrupt();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 4) << trace->errors();
  EXPECT_NE(trace->errors().find("lost"), std::string::npos) << trace->errors();

  const nlohmann::json told = summary();
  EXPECT_FALSE(told.at("complete").get<bool>());
  const nlohmann::json& lost = told.at("lost");
  const std::size_t lost_calls = lost.value("call_ring_full", std::size_t{0});
  EXPECT_GT(lost_calls, 0U) << lost;
  const CsvTable table = events();
  const auto rows = rows_of(table, program->pid(), "madvise");
  EXPECT_GT(rows.size(), 0U);
  EXPECT_EQ(rows.size() + lost_calls, kCalls);
}

}  // namespace
}  // namespace madvtrace
