// SPDX-License-Identifier: Apache-2.0
// An executable is the file that a process runs. /proc/PID/exe of a target is opened here
// and nowhere else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "procfs/proc_root.h"
#include "targets/program/go_modules.h"

namespace madvtrace {

struct Executable {
  UniqueFd file;                       // of ours; it can be closed once nobody needs the path any more
  std::uint64_t inode = 0;             // as /proc/PID/maps has it
  std::shared_ptr<const GoModule> go;  // null: it is no Go program

  // A path to the very file that was opened: /proc/PID/exe can be another one by now.
  std::string path() const;

  // Nothing if the process is gone, or has none.
  static std::optional<Executable> open(const ProcRoot& proc, GoModules& modules, std::uint32_t pid);
};

}  // namespace madvtrace
