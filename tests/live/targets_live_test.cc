// SPDX-License-Identifier: Apache-2.0
// Whom a trace can be pointed at, and whom it refuses.
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

namespace fs = std::filesystem;

class TargetsTest : public LiveTest {
 protected:
  // Refused as wrong usage, in one line that has `words` in it, before anything is written.
  void expect_refused(std::vector<std::string> arguments, const std::vector<std::string>& words);
};

void TargetsTest::expect_refused(std::vector<std::string> arguments, const std::vector<std::string>& words) {
  arguments.insert(arguments.begin(), {"-o", output()});
  const Result<Outcome> outcome = run_madvtrace(arguments);
  ASSERT_HAS_VALUE(outcome);
  EXPECT_EQ(outcome->exit_code, 2) << outcome->errors;
  EXPECT_EQ(std::count(outcome->errors.begin(), outcome->errors.end(), '\n'), 1) << outcome->errors;
  for (const std::string& word : words) {
    EXPECT_NE(outcome->errors.find(word), std::string::npos) << word << " is not in: " << outcome->errors;
  }
  EXPECT_TRUE(outcome->output.empty()) << outcome->output;
  EXPECT_FALSE(fs::exists(output()));
}

// Kernel threads have no executable: PF_KTHREAD in the flags of /proc/PID/stat.
std::string some_kernel_thread() {
  constexpr unsigned kKernelThread = 0x00200000;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::string stat = test::read_all(entry.path() / "stat");
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream fields(stat.substr(name_end + 1));
    std::string skipped;
    constexpr int kFieldsBeforeFlags = 6;
    for (int i = 0; i < kFieldsBeforeFlags; ++i) fields >> skipped;
    unsigned flags = 0;
    if (fields >> flags && (flags & kKernelThread) != 0) return pid;
  }
  return "";
}

TEST_F(TargetsTest, TwoHundredAtOnce) {
  constexpr int kTargets = 200;
  std::vector<std::unique_ptr<TracedProgram>> programs;
  std::string pids;
  for (int i = 0; i < kTargets; ++i) {
    programs.push_back(start_program("script", {"enomem-hole"}));
    ASSERT_TRUE(programs.back());
    pids += (pids.empty() ? "" : ",") + programs.back()->pid_text();
  }
  const auto trace = start_trace({"-p", pids});
  ASSERT_TRUE(trace);
  std::vector<nlohmann::json> truths;
  for (const auto& program : programs) ASSERT_HAS_VALUE(program->go());
  for (const auto& program : programs) {
    const Result<nlohmann::json> truth = program->read_json();
    ASSERT_HAS_VALUE(truth);
    truths.push_back(*truth);
  }
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  const CsvTable table = events();
  EXPECT_EQ(table.size(), static_cast<std::size_t>(kTargets));
  for (const nlohmann::json& truth : truths) ASSERT_NO_FATAL_FAILURE(expect_calls(truth, table));
  EXPECT_EQ(summary().at("processes").size(), static_cast<std::size_t>(kTargets));
}

// From its first call on, and until it has ended.
TEST_F(TargetsTest, Command) {
  constexpr int kExitStatus = 7;
  const auto trace = start_trace({"--", traced_program_path("script"), "einval", "--no-start-gate", "--no-wait-exit",
                                  "--exit-status", std::to_string(kExitStatus)});
  ASSERT_TRUE(trace);
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace->errors();
  // The command has standard output for itself.
  const nlohmann::json truth = nlohmann::json::parse(trace->output(), nullptr, false);
  ASSERT_TRUE(truth.is_object()) << trace->output();
  const CsvTable table = events();
  ASSERT_NO_FATAL_FAILURE(expect_calls(truth, table));
  ASSERT_GT(table.size(), 0U);
  EXPECT_EQ(table.at(0, "call"), "exec");
  EXPECT_EQ(table.at(1, "call"), "brk") << "the loader's first call";
  EXPECT_EQ(table.at(table.size() - 1, "call"), "exit");

  const nlohmann::json told = summary();
  ASSERT_EQ(told.at("processes").size(), 1U);
  const nlohmann::json& process = told.at("processes").at(0);
  EXPECT_EQ(process.at("pid"), truth.at("pid"));
  // It may have ended before it could be looked at; but the tracer it never was.
  EXPECT_TRUE(process.at("exe").is_null() || process.at("exe") == fs::canonical(traced_program_path("script")).string())
      << process.at("exe");
  EXPECT_EQ(WEXITSTATUS(process.at("wait_status").get<int>()), kExitStatus);
}

TEST_F(TargetsTest, ExecutableOfACommandThatLasts) {
  // Standard input stays open, so it waits at its gate.
  const auto trace = start_trace({"--", traced_program_path("script"), "idle"});
  ASSERT_TRUE(trace);
  const Result<std::string> ready = trace->process().read_line();
  ASSERT_HAS_VALUE(ready);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  const nlohmann::json process = summary().at("processes").at(0);
  EXPECT_EQ(process.at("exe"), fs::canonical(traced_program_path("script")).string());
  EXPECT_FALSE(process.at("ended").get<bool>());
}

TEST_F(TargetsTest, CommandWithChildren) {
  const auto trace =
      start_trace({"-f", "--", "/bin/sh", "-c",
                   traced_program_path("script") + " enomem-hole --no-start-gate --no-wait-exit; exit 3"});
  ASSERT_TRUE(trace);
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace->errors();
  const nlohmann::json truth = nlohmann::json::parse(trace->output(), nullptr, false);
  ASSERT_TRUE(truth.is_object()) << trace->output();
  const CsvTable table = events();
  expect_calls(truth, table);
  EXPECT_EQ(summary().at("processes").size(), 2U);
}

TEST_F(TargetsTest, CommandThatIsNotThere) { expect_refused({"--", "/no/such/program"}, {"/no/such/program"}); }

TEST_F(TargetsTest, ThreadIsRefusedAndItsProcessNamed) {
  const auto program =
      start_program("truth", {"--truth", directory_ / "truth.csv", "--workers", "1", "--ops", "1", "--no-wait-exit"});
  ASSERT_TRUE(program);
  std::string tid;
  for (const auto& entry : fs::directory_iterator("/proc/" + program->pid_text() + "/task")) {
    if (entry.path().filename() != program->pid_text()) tid = entry.path().filename();
  }
  ASSERT_FALSE(tid.empty());
  expect_refused({"-p", tid}, {tid, program->pid_text()});
}

TEST_F(TargetsTest, ProcessThatIsGone) {
  const Result<std::unique_ptr<ChildProcess>> child = ChildProcess::spawn({.argv = {"/bin/true"}});
  ASSERT_HAS_VALUE(child);
  ASSERT_HAS_VALUE((*child)->wait());
  expect_refused({"-p", std::to_string((*child)->pid())}, {std::to_string((*child)->pid())});
}

TEST_F(TargetsTest, Zombie) {
  const auto program = start_program("script", {"idle", "--no-wait-exit"});
  ASSERT_TRUE(program);
  ASSERT_HAS_VALUE(program->go());
  // Ended, and not reaped before the test lets go of it.
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  ASSERT_HAS_VALUE(wait_readable({program->process().pidfd()}, until));
  expect_refused({"-p", program->pid_text()}, {program->pid_text()});
}

TEST_F(TargetsTest, KernelThread) {
  const std::string pid = some_kernel_thread();
  ASSERT_FALSE(pid.empty()) << "no kernel thread in sight: is this another pid namespace?";
  expect_refused({"-p", pid}, {pid});
}

// One that cannot be traced among others: nobody is.
TEST_F(TargetsTest, OneOfSeveralIsRefused) {
  const auto program = start_program("script", {"idle"});
  ASSERT_TRUE(program);
  const Result<std::unique_ptr<ChildProcess>> child = ChildProcess::spawn({.argv = {"/bin/true"}});
  ASSERT_HAS_VALUE(child);
  ASSERT_HAS_VALUE((*child)->wait());
  const std::string gone = std::to_string((*child)->pid());
  expect_refused({"-p", program->pid_text() + "," + gone}, {gone});
}

TEST_F(TargetsTest, NotAPid) {
  for (const char* text : {"0", "-1", "abc", "1x", "99999999999"}) expect_refused({"-p", text}, {});
}

}  // namespace
}  // namespace madvtrace
