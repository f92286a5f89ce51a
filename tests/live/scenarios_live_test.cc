// SPDX-License-Identifier: Apache-2.0
// One question each: what a call does whose effect is known beforehand.
#include <string>
#include <string_view>

#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

class ScenarioTest : public LiveTest {
 protected:
  // Traces the scenario to its end; truth_ and events_ are set afterwards.
  void trace(const std::string& scenario, const std::vector<std::string>& more = {});
  // The only call of the truth and its row, compared but for what the caller looks at.
  std::size_t only_row() const;

  nlohmann::json truth_;
  nlohmann::json second_truth_;  // of the program that `exec` becomes
  CsvTable events_;
  pid_t pid_ = 0;
};

void ScenarioTest::trace(const std::string& scenario, const std::vector<std::string>& more) {
  const auto program = start_program("script", {scenario});
  ASSERT_TRUE(program);
  pid_ = program->pid();
  std::vector<std::string> arguments{"-p", program->pid_text()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto run = start_trace(arguments);
  ASSERT_TRUE(run);
  const Result<nlohmann::json> truth = program->work();
  ASSERT_HAS_VALUE(truth);
  truth_ = *truth;
  if (scenario == "exec") {
    const Result<nlohmann::json> second = program->read_json();
    ASSERT_HAS_VALUE(second);
    second_truth_ = *second;
  }
  ASSERT_EQ(program->finish().value_or(-1), 0);
  // Its only target has ended, so the trace ends by itself.
  const Result<int> code = run->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << run->errors();
  events_ = events();
  EXPECT_TRUE(summary().at("complete").get<bool>());
}

std::size_t ScenarioTest::only_row() const {
  const std::vector<std::size_t> rows = calls_of_thread(events_, std::to_string(pid_));
  EXPECT_EQ(rows.size(), 1U);
  return rows.empty() ? 0 : rows.front();
}

class PlainScenarioTest : public ScenarioTest, public testing::WithParamInterface<const char*> {};

// Every number of every call, and nothing else in the table.
TEST_P(PlainScenarioTest, IsToldAsItWas) {
  trace(GetParam());
  if (HasFatalFailure()) return;
  ASSERT_FALSE(truth_.at("calls").empty());
  expect_calls(truth_, events_);
  for (const std::size_t row : calls_of_thread(events_, std::to_string(pid_))) {
    // Another process's pages, or a descriptor that names none, are not known at all.
    const bool known = std::string_view(GetParam()) != "ebadf-process-madvise";
    EXPECT_EQ(events_.at(row, "quality"), known ? "exact" : "") << events_.text(row);
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, PlainScenarioTest,
                         testing::Values("enomem-hole", "einval", "populate", "process-madvise-self", "mremap-shrink",
                                         "mremap-move", "ebadf-process-madvise", "brk-shrink", "free-lazy",
                                         "fork-clean", "file-map", "shared-anon", "huge", "zero-huge", "threads"),
                         [](const testing::TestParamInfo<const char*>& tested) {
                           std::string name = tested.param;
                           std::erase(name, '-');
                           return name;
                         });

// The page walk stops before it costs the program too much: then what it counted is a
// lower bound, and is called one.
TEST_F(ScenarioTest, MoreThanIsWalkedIsABound) {
  trace("big-munmap");
  if (HasFatalFailure()) return;
  const nlohmann::json call = truth_.at("calls").at(0);
  const std::size_t row = only_row();
  const std::int64_t truth = call.at("resident_bytes");
  const auto resident = events_.number(row, "resident_bytes");
  ASSERT_TRUE(resident.has_value());
  EXPECT_EQ(events_.number(row, "rss_delta_bytes"), -*resident);
  if (events_.at(row, "quality") == "exact") {
    EXPECT_EQ(*resident, truth);
  } else {
    EXPECT_EQ(events_.at(row, "quality"), "bounded");
    EXPECT_LE(*resident, truth);
    EXPECT_GE(*resident, truth / 4);
  }
}

TEST_F(ScenarioTest, ForkedChildIsLeftAlone) {
  trace("fork");
  if (HasFatalFailure()) return;
  EXPECT_TRUE(events_.rows_where("pid", std::to_string(truth_.at("calls").at(0).at("tid").get<int>())).empty());
  expect_call(truth_.at("calls").at(1), events_, only_row());
}

TEST_F(ScenarioTest, ForkedChildIsFollowed) {
  trace("fork", {"-f"});
  if (HasFatalFailure()) return;
  expect_calls(truth_, events_);
  const pid_t child = truth_.at("calls").at(0).at("tid");
  EXPECT_EQ(rows_of(events_, child, "exit").size(), 1U);
  EXPECT_EQ(rows_of(events_, pid_, "exit").size(), 1U);
}

TEST_F(ScenarioTest, ExecIsMarkedAndTracedOn) {
  trace("exec");
  if (HasFatalFailure()) return;
  ASSERT_EQ(rows_of(events_, pid_, "exec").size(), 1U);
  expect_calls(truth_, events_);
  expect_calls(second_truth_, events_);
  // The new program's own start is traced from its first call on.
  EXPECT_FALSE(rows_of(events_, pid_, "brk").empty());
}

// Any bytes at all can be a thread's name; the table stays a table, of valid UTF-8.
TEST_F(ScenarioTest, NameOfAnyBytesStaysOneField) {
  trace("weird-comm");
  if (HasFatalFailure()) return;
  expect_calls(truth_, events_);
  const std::string comm = events_.at(only_row(), "comm");
  EXPECT_TRUE(comm.starts_with("a,\"b")) << comm;
  EXPECT_EQ(comm.find('\n'), std::string::npos);
  EXPECT_EQ(comm.find('\xff'), std::string::npos);
}

TEST_F(ScenarioTest, ProcessThatEndsInTheMiddle) {
  trace("exit-in-middle");
  if (HasFatalFailure()) return;
  const auto releases = rows_of(events_, pid_, "madvise");
  EXPECT_GE(releases.size(), truth_.at("calls_at_least").get<std::size_t>());
  for (const std::size_t row : releases) {
    EXPECT_EQ(events_.number(row, "resident_bytes"), 4096) << events_.text(row);
  }
  const auto exits = rows_of(events_, pid_, "exit");
  ASSERT_EQ(exits.size(), 1U);
  const nlohmann::json process = summary().at("processes").at(0);
  EXPECT_EQ(process.at("pid"), pid_);
}

TEST_F(ScenarioTest, IdleProgramHasNoCalls) {
  trace("idle");
  if (HasFatalFailure()) return;
  EXPECT_TRUE(calls_of_thread(events_, std::to_string(pid_)).empty());
}

}  // namespace
}  // namespace madvtrace
