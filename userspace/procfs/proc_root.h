// SPDX-License-Identifier: Apache-2.0
// The only door to /proc: opened once, and everything below it opened relative to
// it, so that tests and recordings can use another directory that looks like one.
//
// A process may end at any moment, and its pid may be given to another. Nothing
// here remembers a pid: callers that read twice compare ProcessStat's start time
// (procfs/stat.h) before they believe that both texts are of one process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_text.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace madvtrace {

// A failure is kGone if there is no such process (any more), and kAbsent if the process is
// there and has no such thing: kernel threads and zombies have no exe, and on 6.18 opening
// their environ fails with ESRCH, as for a process that is gone; a kernel may lack a file
// altogether. The two are told apart by whether the pid's directory is (still) there, so a
// process that ends just then may be called either. Under a hidepid= mount the processes
// that it hides are kGone.
class ProcRoot {
 public:
  // "/proc", or a tree of files that looks like it.
  static Result<ProcRoot> open(const std::string& path);

  // `name` is a path below the process's directory: "maps", "task/17/status".
  // The whole file, or kTooLarge. Of a file that the kernel generates piece by
  // piece (maps) the pieces need not be of one moment.
  Result<std::string> read_file(pid_t pid, std::string_view name, std::size_t limit_bytes) const;
  // At most the first limit_bytes of it.
  Result<FileText> read_prefix(pid_t pid, std::string_view name, std::size_t limit_bytes) const;
  // Follows links, so that "exe" opens the binary, also one that was deleted or is
  // in another mount namespace.
  Result<UniqueFd> open_file(pid_t pid, std::string_view name) const;
  // As the kernel prints it: with " (deleted)" (split_deleted in procfs/text.h), and
  // as seen from the reader's root directory.
  Result<std::string> read_link(pid_t pid, std::string_view name) const;

  // Ascending. Those that came or went while it was read may be in it or not.
  Result<std::vector<pid_t>> list_pids() const;

  // For errors that come up above this class: "<root>/PID/name: reason".
  Error malformed(pid_t pid, std::string_view name, std::string_view reason) const;

 private:
  ProcRoot(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Error error(pid_t pid, std::string_view name, int error_number) const;

  std::string path_;
  UniqueFd fd_;
};

}  // namespace madvtrace
