// SPDX-License-Identifier: Apache-2.0
// Shows the garbage collections of the Go programs among the targets: finds the places
// in their files, each file once, and has them probed while the process is a target.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "kernel/gc_probes.h"
#include "procfs/proc_root.h"

namespace madvtrace {

class GcMarks {
 public:
  // Both must outlive this.
  GcMarks(GcProbes& probes, const ProcRoot& proc) : probes_(probes), proc_(proc) {}

  // Of a new target, or of one that runs another program now: "yes", or why not; nothing
  // if it is no Go program.
  std::string attach(std::uint32_t pid);
  // Of a process that has ended.
  void detach(std::uint32_t pid) { probes_.detach(pid); }

 private:
  // A file that is written again, as far as the kernel lets anybody while it runs,
  // changes its time.
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    off_t bytes = 0;
    std::int64_t changed_ns = 0;
    friend auto operator<=>(const FileId&, const FileId&) = default;
  };
  struct Program {
    bool is_go = false;
    std::optional<GcPlaces> places;
  };
  Program program(const UniqueFd& exe);

  GcProbes& probes_;
  const ProcRoot& proc_;
  std::map<FileId, Program> programs_;
};

}  // namespace madvtrace
