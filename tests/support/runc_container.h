// SPDX-License-Identifier: Apache-2.0
// A real container of a test: runc, with a root directory of its own that has busybox
// in it, in the cgroup that the test wants. Needs root, and the packages runc and
// busybox-static. Nothing of it is left at the end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {

struct RuncOptions {
  std::string id;
  std::string cgroups_path;  // as from the root of every hierarchy: "/kubepods/pod1/ID"
  std::vector<std::string> args;
  std::uint64_t memory_limit_bytes = 0;
};

class RuncContainer {
 public:
  static Result<std::unique_ptr<RuncContainer>> start(const RuncOptions& options);
  // Kills it, and removes its groups and those ancestors that it brought along.
  ~RuncContainer();
  RuncContainer(const RuncContainer&) = delete;
  RuncContainer& operator=(const RuncContainer&) = delete;

  // Of its first process, as seen here.
  pid_t pid() const { return pid_; }
  // The next line that it prints.
  Result<std::string> read_line() { return runc_->read_line(); }
  // Kills it and removes its own group.
  Status remove();

 private:
  RuncContainer() = default;
  Status write_bundle(const RuncOptions& options) const;

  std::string id_;
  test::TempDirectory bundle_;
  std::vector<std::string> new_groups_;  // directories, leaves first
  std::unique_ptr<ChildProcess> runc_;   // has ended; the container has its standard output
  pid_t pid_ = 0;
};

}  // namespace madvtrace
