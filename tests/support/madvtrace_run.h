// SPDX-License-Identifier: Apache-2.0
// A run of the built madvtrace binary beside a test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/support/child_process.h"

namespace madvtrace {

class MadvtraceRun {
 public:
  // Starts `madvtrace ARGS`, with --ready-fd, and returns once every hook is attached.
  // Fails, with what it said, if it ends before.
  static Result<std::unique_ptr<MadvtraceRun>> start(std::vector<std::string> arguments,
                                                     std::optional<int> stdout_fd = std::nullopt);

  ChildProcess& process() { return *process_; }
  // SIGINT, as Ctrl-C, and waits: the exit code.
  Result<int> interrupt();
  Result<int> wait() { return process_->wait(); }
  std::string errors() const { return process_->errors(); }
  const std::string& output() const { return process_->output(); }

 private:
  explicit MadvtraceRun(std::unique_ptr<ChildProcess> process) : process_(std::move(process)) {}

  std::unique_ptr<ChildProcess> process_;
};

// Runs `madvtrace ARGS` to its end.
Result<Outcome> run_madvtrace(std::vector<std::string> arguments);

}  // namespace madvtrace
