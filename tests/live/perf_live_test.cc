// SPDX-License-Identifier: Apache-2.0
// Other tracers beside this one. A BPF program on a tracepoint can hide the event from
// every perf session in the system by returning 0 (kernel/events/core.c,
// perf_trace_run_bpf_submit): perf must go on counting every call.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <sstream>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

constexpr int kCommandFd = 10;
constexpr int kAnswerFd = 11;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> fds{-1, -1};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  return {.read = UniqueFd(fds[0]), .write = UniqueFd(fds[1])};
}

class PerfTest : public LiveTest {
 protected:
  // Starts `perf stat` on one event of one process; it counts once this returns.
  void start_counting(const std::string& event, pid_t pid);
  // Ends it: the count.
  std::int64_t end_counting();

  // The same by bpftrace, for both ends of madvise().
  void start_bpftrace(pid_t pid);
  // Entries and exits.
  std::pair<std::int64_t, std::int64_t> end_bpftrace();

  std::unique_ptr<ChildProcess> perf_;
  std::unique_ptr<ChildProcess> bpftrace_;
};

void PerfTest::start_counting(const std::string& event, pid_t pid) {
  Pipe command = make_pipe();
  Pipe answer = make_pipe();
  // In a mount namespace of its own: perf needs tracefs, which need not be mounted.
  const std::string script =
      "{ test -e /sys/kernel/tracing/events || mount -t tracefs nodev /sys/kernel/tracing; } "
      "&& exec perf stat -x, -D -1 --control fd:" +
      std::to_string(kCommandFd) + "," + std::to_string(kAnswerFd) + " -e " + event + " -p " + std::to_string(pid) +
      " -o " + (directory_ / "perf.csv");
  Result<std::unique_ptr<ChildProcess>> perf =
      ChildProcess::spawn({.argv = {"unshare", "-m", "sh", "-c", script},
                           .pass_fds = {{kCommandFd, command.read.get()}, {kAnswerFd, answer.write.get()}}});
  ASSERT_HAS_VALUE(perf);
  perf_ = std::move(*perf);
  command.read.reset();
  answer.write.reset();
  constexpr std::string_view kEnable = "enable\n";
  ASSERT_EQ(::write(command.write.get(), kEnable.data(), kEnable.size()), static_cast<ssize_t>(kEnable.size()));
  std::string answered;
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (!answered.ends_with('\n')) {
    ASSERT_HAS_VALUE(wait_readable({answer.read.get()}, until));
    char byte = 0;
    ASSERT_EQ(::read(answer.read.get(), &byte, 1), 1) << "perf ended: " << perf_->errors();
    answered += byte;
  }
  ASSERT_EQ(answered, "ack\n");
}

std::int64_t PerfTest::end_counting() {
  EXPECT_HAS_VALUE(perf_->signal(SIGINT));
  EXPECT_HAS_VALUE(perf_->wait());
  // "count,unit,event,…" behind a comment and an empty line.
  std::istringstream lines(test::read_all(directory_ / "perf.csv"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.front() != '#') return std::stoll(line);
  }
  ADD_FAILURE() << "perf counted nothing: " << perf_->errors();
  return -1;
}

void PerfTest::start_bpftrace(pid_t pid) {
  const std::string filter = " /pid == " + std::to_string(pid) + "/ ";
  // It says that it is there once all of it is attached: before, no interval is looked at.
  const std::string program = "tracepoint:syscalls:sys_enter_madvise" + filter +
                              "{ @entries = count(); } tracepoint:syscalls:sys_exit_madvise" + filter +
                              "{ @exits = count(); } interval:ms:20 /!@told/ { @told = 1; printf(\"ready\\n\"); }";
  const std::string script =
      "{ test -e /sys/kernel/tracing/events || mount -t tracefs nodev /sys/kernel/tracing; } && exec bpftrace -e '" +
      program + "'";
  Result<std::unique_ptr<ChildProcess>> bpftrace = ChildProcess::spawn({.argv = {"unshare", "-m", "sh", "-c", script}});
  ASSERT_HAS_VALUE(bpftrace);
  bpftrace_ = std::move(*bpftrace);
  for (;;) {
    const Result<std::string> line = bpftrace_->read_line();
    ASSERT_HAS_VALUE(line);
    if (*line == "ready") return;
  }
}

std::pair<std::int64_t, std::int64_t> PerfTest::end_bpftrace() {
  EXPECT_HAS_VALUE(bpftrace_->signal(SIGINT));
  EXPECT_HAS_VALUE(bpftrace_->wait());
  const auto count = [&](const std::string& name) -> std::int64_t {
    const std::string& said = bpftrace_->output();
    const std::string key = "@" + name + ": ";
    const std::size_t at = said.find(key);
    if (at != std::string::npos) return std::stoll(said.substr(at + key.size()));
    ADD_FAILURE() << "bpftrace counted nothing: " << said << bpftrace_->errors();
    return -1;
  };
  return {count("entries"), count("exits")};
}

class PerfEventTest : public PerfTest, public testing::WithParamInterface<const char*> {};

TEST_P(PerfEventTest, CountsEveryCallBesideATrace) {
  constexpr int kCalls = 20'000;
  const auto program = start_program("script", {"storm", "--calls", std::to_string(kCalls)});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text(), "--ring-size", "64MiB"});
  ASSERT_TRUE(trace);
  ASSERT_NO_FATAL_FAILURE(start_counting(GetParam(), program->pid()));
  ASSERT_HAS_VALUE(program->work());
  EXPECT_EQ(end_counting(), kCalls);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_EQ(rows_of(events(), program->pid(), "madvise").size(), static_cast<std::size_t>(kCalls));
}

INSTANTIATE_TEST_SUITE_P(Events, PerfEventTest,
                         testing::Values("syscalls:sys_enter_madvise", "syscalls:sys_exit_madvise"),
                         [](const testing::TestParamInfo<const char*>& tested) {
                           return std::string(tested.param).find("enter") != std::string::npos ? "Enter" : "Exit";
                         });

// Three of them on one tracepoint, begun and ended one inside the other: none takes from another.
TEST_F(PerfTest, AndBpftraceAndATraceCountTheSame) {
  constexpr int kCalls = 20'000;
  const auto program = start_program("script", {"storm", "--calls", std::to_string(kCalls)});
  ASSERT_TRUE(program);
  ASSERT_NO_FATAL_FAILURE(start_bpftrace(program->pid()));
  const auto trace = start_trace({"-p", program->pid_text(), "--ring-size", "64MiB"});
  ASSERT_TRUE(trace);
  ASSERT_NO_FATAL_FAILURE(start_counting("syscalls:sys_enter_madvise", program->pid()));
  ASSERT_HAS_VALUE(program->work());
  EXPECT_EQ(end_counting(), kCalls);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  const auto [entries, exits] = end_bpftrace();
  EXPECT_EQ(entries, kCalls);
  EXPECT_EQ(exits, kCalls);
  EXPECT_EQ(rows_of(events(), program->pid(), "madvise").size(), static_cast<std::size_t>(kCalls));
  EXPECT_TRUE(summary().at("lost").empty()) << summary().at("lost");
}

// Of a process that is not traced, too.
TEST_F(PerfTest, CountsOthersCallsBesideATrace) {
  constexpr int kCalls = 20'000;
  const auto traced = start_program("script", {"idle"});
  const auto other = start_program("script", {"storm", "--calls", std::to_string(kCalls)});
  ASSERT_TRUE(traced && other);
  const auto trace = start_trace({"-p", traced->pid_text()});
  ASSERT_TRUE(trace);
  ASSERT_NO_FATAL_FAILURE(start_counting("syscalls:sys_enter_madvise", other->pid()));
  ASSERT_HAS_VALUE(other->work());
  EXPECT_EQ(end_counting(), kCalls);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_EQ(events().size(), 0U);
}

}  // namespace
}  // namespace madvtrace
