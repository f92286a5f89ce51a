// SPDX-License-Identifier: Apache-2.0
// A child process of a test: its standard input is a pipe, what it prints is kept,
// every wait has a deadline, and it does not outlive the test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace madvtrace {

// Generous: the machine may be busy. A test that meets it has failed.
inline constexpr std::chrono::milliseconds kDeadline{60'000};

struct SpawnOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH if it has no slash
  // Descriptors to hand on: (number in the child, number here).
  std::vector<std::pair<int, int>> pass_fds;
  // Where its standard output goes instead of being kept; not owned.
  std::optional<int> stdout_fd;
};

class ChildProcess {
 public:
  static Result<std::unique_ptr<ChildProcess>> spawn(const SpawnOptions& options);
  // SIGKILL if it still runs, and always reaped.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Readable once it has ended.
  int pidfd() const { return pidfd_.get(); }

  // The next line of its standard output, without the line end.
  Result<std::string> read_line(std::chrono::milliseconds deadline = kDeadline);
  Status write_input(std::string_view bytes);
  void close_input() { stdin_.reset(); }
  Status signal(int number) const;
  // SIGSTOP, and waits until it has stopped.
  Status suspend() const;

  // Its exit status, or 128 + the signal that killed it.
  Result<int> wait(std::chrono::milliseconds deadline = kDeadline);

  // Everything printed so far that no read_line() took; complete after wait().
  const std::string& output() const { return output_; }
  std::string errors() const;

 private:
  ChildProcess() = default;
  // Whether there was more to read.
  bool take_output();

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
  UniqueFd pidfd_;
  UniqueFd stdin_;
  UniqueFd stdout_;
  UniqueFd stderr_;  // a file in memory: nobody has to read it for the child to go on
  std::string output_;
};

struct Outcome {
  int exit_code = -1;
  std::string output;
  std::string errors;
};

// Runs a program to its end with nothing on standard input.
Result<Outcome> run_program(const SpawnOptions& options, std::chrono::milliseconds deadline = kDeadline);

// Waits until one of `fds` is readable (or closed at the other end): its index.
Result<std::size_t> wait_readable(const std::vector<int>& fds, std::chrono::steady_clock::time_point until);

}  // namespace madvtrace
