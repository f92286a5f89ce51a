// SPDX-License-Identifier: Apache-2.0
// The file that a process runs. It is opened once each time that it is looked at, and
// whatever is read of it or attached to it goes by that descriptor: /proc/PID/exe can be
// another file a moment later.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "procfs/proc_root.h"
#include "targets/go_modules.h"

namespace madvtrace {

struct Program {
  UniqueFd exe;  // none: the process is gone, or what it runs cannot be opened
  std::uint64_t inode = 0;
  std::shared_ptr<const GoModule> go;  // null if it is no Go program

  // For whoever opens files by their names; valid while this lives.
  std::string path() const;
};

Program open_program(const ProcRoot& proc, GoModules& modules, std::uint32_t pid);

}  // namespace madvtrace
