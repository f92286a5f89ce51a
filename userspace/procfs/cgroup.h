// SPDX-License-Identifier: Apache-2.0
// /proc/PID/cgroup: the group of a process in each hierarchy.
//
// Paths are as seen from the reader's cgroup namespace: a group outside of it starts
// with "/..". They are names, not directories: where a hierarchy is mounted is
// another question. The kernel allows no newline in a group's name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procfs/proc_root.h"

namespace madvtrace {

struct CgroupEntry {
  std::uint32_t hierarchy_id = 0;        // 0 is the unified one (cgroup v2)
  std::vector<std::string> controllers;  // "memory", "name=systemd"; none for the unified hierarchy
  std::string path;                      // starts with '/'
  bool deleted = false;                  // removed while the process was in it; unified hierarchy only
};

// Lines that are none are passed over; at most 64 are returned.
std::vector<CgroupEntry> parse_cgroup(std::string_view text);

// An exiting process is already in "/" of every v1 hierarchy.
Result<std::vector<CgroupEntry>> read_cgroup(const ProcRoot& root, pid_t pid);

// Nothing if there is no such hierarchy. `controller` as it is printed: "memory",
// "name=systemd"; finds v1 hierarchies only.
std::optional<std::string> unified_path(const std::vector<CgroupEntry>& entries);
std::optional<std::string> controller_path(const std::vector<CgroupEntry>& entries, std::string_view controller);

}  // namespace madvtrace
