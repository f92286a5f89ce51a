// SPDX-License-Identifier: Apache-2.0
// A cgroup of a test, in the hierarchy that the test wants. Gone with it; whatever was
// put into it has to have ended, or to have been moved out, before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace madvtrace {

class ControlGroup {
 public:
  // Makes PARENT/NAME-PID, where PID is the test's own: no other run has it.
  static Result<ControlGroup> make(const std::string& parent, const std::string& name);
  ControlGroup(ControlGroup&& other) noexcept;
  ControlGroup& operator=(ControlGroup&&) = delete;
  ~ControlGroup();

  const std::string& directory() const { return directory_; }
  std::uint64_t id() const { return id_; }
  // The process with all its threads.
  Status add(pid_t pid) const { return write("cgroup.procs", std::to_string(pid)); }
  Status write(const std::string& file, const std::string& text) const;
  // Before the test ends.
  Status remove();

 private:
  ControlGroup(std::string directory, std::uint64_t id) : directory_(std::move(directory)), id_(id) {}

  std::string directory_;
  std::uint64_t id_ = 0;
};

// Moves a process to any group, as in "/sys/fs/cgroup/memory".
Status move_to_group(pid_t pid, const std::string& directory);

}  // namespace madvtrace
