// SPDX-License-Identifier: Apache-2.0
// A memory control group for a test's processes, version 1 or 2: whichever has the
// memory controller on this machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace madvtrace {

// 0 or errno. One write: the kernel reads a whole command.
int write_file(const std::string& path, const std::string& text);

// Of this test alone, and gone with it.
class PressureGroup {
 public:
  PressureGroup();
  // Its processes have to be gone.
  ~PressureGroup();
  PressureGroup(const PressureGroup&) = delete;
  PressureGroup& operator=(const PressureGroup&) = delete;

  bool made() const { return made_; }
  const std::string& why_not() const { return why_not_; }
  const std::string& path() const { return path_; }
  int add(pid_t pid) const { return write_file(path_ + "/cgroup.procs", std::to_string(pid)); }
  std::int64_t usage_bytes() const;
  // Each is over when the kernel has reclaimed what it can.
  void take_all() const;
  void take(std::int64_t bytes) const;

 private:
  void reclaim(std::int64_t bytes) const;

  bool version2_ = false;
  bool made_ = false;
  std::string path_;
  std::string why_not_;
};

}  // namespace madvtrace
