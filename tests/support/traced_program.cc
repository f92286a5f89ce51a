// SPDX-License-Identifier: Apache-2.0
#include "tests/support/traced_program.h"

#include <filesystem>

namespace madvtrace {

std::string traced_program_path(const std::string& name) { return std::filesystem::path(TARGETS_DIR) / name; }

Result<std::unique_ptr<TracedProgram>> TracedProgram::start(const std::string& name,
                                                            std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), traced_program_path(name));
  Result<std::unique_ptr<ChildProcess>> process = ChildProcess::spawn({.argv = std::move(arguments)});
  if (!process) return tl::unexpected(process.error());
  std::unique_ptr<TracedProgram> program(new TracedProgram(std::move(*process)));
  const Result<nlohmann::json> ready = program->read_json();
  if (!ready) return tl::unexpected(ready.error());
  if (!ready->value("ready", false)) return fail(name + " said instead of being ready: " + ready->dump());
  program->ready_ = *ready;
  return program;
}

Result<nlohmann::json> TracedProgram::read_json() {
  const Result<std::string> line = process_->read_line();
  if (!line) return tl::unexpected(line.error());
  nlohmann::json json = nlohmann::json::parse(*line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail("not a JSON object: " + *line);
  return json;
}

Result<nlohmann::json> TracedProgram::work() {
  if (const Status gone = go(); !gone) return tl::unexpected(gone.error());
  return read_json();
}

Result<int> TracedProgram::finish() {
  process_->close_input();
  return process_->wait();
}

}  // namespace madvtrace
