// SPDX-License-Identifier: Apache-2.0
#include "targets/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

namespace madvtrace {

std::string Program::path() const { return fmt::format("/proc/self/fd/{}", exe.get()); }

Program open_program(const ProcRoot& proc, GoModules& modules, std::uint32_t pid) {
  Result<UniqueFd> exe = proc.open_file(static_cast<pid_t>(pid), "exe");
  struct stat status {};
  if (!exe || ::fstat(exe->get(), &status) != 0) return {};
  // What is read of a Go program keeps a descriptor of its own.
  UniqueFd kept(::fcntl(exe->get(), F_DUPFD_CLOEXEC, 0));
  Program program{.exe = std::move(*exe), .inode = status.st_ino};
  if (kept) program.go = modules.get(std::move(kept), /*executable=*/true, fmt::format("/proc/{}/exe", pid));
  return program;
}

}  // namespace madvtrace
