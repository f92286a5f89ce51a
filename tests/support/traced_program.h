// SPDX-License-Identifier: Apache-2.0
// One of the programs in tests/targets: it announces itself, waits at its gate, works,
// tells its truth as JSON, and waits again before it ends.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/support/child_process.h"

namespace madvtrace {

class TracedProgram {
 public:
  // Starts TARGETS_DIR/`name` and returns once it is at its gate.
  static Result<std::unique_ptr<TracedProgram>> start(const std::string& name, std::vector<std::string> arguments);

  pid_t pid() const { return process_->pid(); }
  std::string pid_text() const { return std::to_string(pid()); }
  ChildProcess& process() { return *process_; }
  // What it announced itself with.
  const nlohmann::json& ready() const { return ready_; }

  // Opens the gate.
  Status go() { return process_->write_input("g"); }
  // The next JSON line.
  Result<nlohmann::json> read_json();
  // go(), and what it tells when it is done.
  Result<nlohmann::json> work();
  // Lets it end: its exit status.
  Result<int> finish();

 private:
  explicit TracedProgram(std::unique_ptr<ChildProcess> process) : process_(std::move(process)) {}

  std::unique_ptr<ChildProcess> process_;
  nlohmann::json ready_;
};

// The path of a program in tests/targets; one that is absolute stays as it is.
std::string traced_program_path(const std::string& name);

}  // namespace madvtrace
