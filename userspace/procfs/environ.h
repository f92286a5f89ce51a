// SPDX-License-Identifier: Apache-2.0
// /proc/PID/environ: the environment that a process was started with (GODEBUG says
// how Go releases memory). What it sets later is not in it, and a process may have
// written anything over it: use it as a hint.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procfs/proc_root.h"

namespace madvtrace {

struct Environment {
  std::vector<std::pair<std::string, std::string>> variables;  // as they come, name and value
  // There was more than kEnvironLimitBytes: a variable that is not found is unknown,
  // not unset. A variable that was cut in two is left out.
  bool truncated = false;

  // Of a name that comes twice the first, as getenv(3) and Go have it.
  std::optional<std::string> find(std::string_view name) const;
};

inline constexpr std::size_t kEnvironLimitBytes = std::size_t{1024} * 1024;

// `text` is NUL-separated; what has no '=' is passed over. `truncated` says that the
// file went on after it.
Environment parse_environ(std::string_view text, bool truncated);

// Kernel threads and zombies: kAbsent, or an empty environment on older kernels.
Result<Environment> read_environ(const ProcRoot& root, pid_t pid);

}  // namespace madvtrace
