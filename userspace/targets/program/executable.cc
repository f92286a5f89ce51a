// SPDX-License-Identifier: Apache-2.0
#include "targets/program/executable.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

namespace madvtrace {

std::string Executable::path() const { return fmt::format("/proc/self/fd/{}", file.get()); }

std::optional<Executable> Executable::open(const ProcRoot& proc, GoModules& modules, std::uint32_t pid) {
  Result<UniqueFd> file = proc.open_file(static_cast<pid_t>(pid), "exe");
  struct stat status {};
  if (!file || ::fstat(file->get(), &status) != 0) return std::nullopt;
  std::shared_ptr<const GoModule> go = modules.get(*file, /*executable=*/true, fmt::format("/proc/{}/exe", pid));
  return Executable{.file = std::move(*file), .inode = status.st_ino, .go = std::move(go)};
}

}  // namespace madvtrace
