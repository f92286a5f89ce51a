// SPDX-License-Identifier: Apache-2.0
#include "tests/support/traced_program.h"

#include <filesystem>

namespace madvtrace {

std::string traced_program_path(const std::string& name) { return std::filesystem::path(TARGETS_DIR) / name; }

Result<std::unique_ptr<TracedProgram>> TracedProgram::start(const std::string& name,
                                                            std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), traced_program_path(name));
  MADV_TAKE(auto process, ChildProcess::spawn({.argv = std::move(arguments)}));
  std::unique_ptr<TracedProgram> program(new TracedProgram(std::move(process)));
  MADV_TAKE(program->ready_, program->read_json());
  if (!program->ready_.value("ready", false)) {
    return fail(name + " said instead of being ready: " + program->ready_.dump());
  }
  return program;
}

Result<nlohmann::json> TracedProgram::read_json() {
  MADV_TAKE(const std::string line, process_->read_line());
  nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail("not a JSON object: " + line);
  return json;
}

Result<nlohmann::json> TracedProgram::work() {
  MADV_TRY(go());
  return read_json();
}

Result<int> TracedProgram::finish() {
  process_->close_input();
  return process_->wait();
}

}  // namespace madvtrace
