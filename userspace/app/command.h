// SPDX-License-Identifier: Apache-2.0
// The program that is started to be traced: forked, held before its exec until the
// hooks are in place, then let go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace madvtrace {

// kUsage if there is no such program, by PATH where the name has no slash.
Status check_program(const std::string& name);

class Command {
 public:
  // Held. If it is never let go it ends without having run anything.
  static Result<Command> start_held(const std::vector<std::string>& argv);

  std::uint32_t pid() const { return pid_; }
  // Lets it exec; kUsage if that fails (no such program, not executable).
  Status let_go();
  // Its wait status, once it has ended.
  std::optional<std::int32_t> poll_end();

 private:
  Command(std::uint32_t pid, UniqueFd go, UniqueFd failure, std::string name)
      : pid_(pid), go_(std::move(go)), failure_(std::move(failure)), name_(std::move(name)) {}

  std::uint32_t pid_ = 0;
  UniqueFd go_;       // closed or written to: run
  UniqueFd failure_;  // carries errno of a failed exec; closed by a good one
  std::string name_;
  std::optional<std::int32_t> wait_status_;
};

}  // namespace madvtrace
