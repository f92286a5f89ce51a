// SPDX-License-Identifier: Apache-2.0
// The mounted cgroup hierarchies, and which directory there is which group.
//
// A machine has one unified hierarchy (cgroup v2), some v1 hierarchies with one or
// more controllers each, or both (hybrid). Each may be mounted several times and in
// part: a container has its own group at /sys/fs/cgroup, and may have the machine's
// at /host/sys/fs/cgroup. So mounts are kept apart, in the order in which they are to
// be believed: those that show most of their hierarchy first.
//
// Paths in /proc/PID/cgroup and the root of a mount are names relative to the cgroup
// namespace of the reader (cgroup_namespaces(7)): what is outside starts with as many
// "/.." as it takes to the common ancestor. The names of the ancestors themselves are
// not told, and are found by looking (group_directory).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "procfs/cgroup.h"

namespace madvtrace {

struct CgroupMount {
  std::vector<std::string> controllers;  // as in CgroupEntry; none for the unified hierarchy
  std::string root;                      // the group that is mounted, "/" if all of them are
  std::string directory;                 // where

  bool unified() const { return controllers.empty(); }
  bool has_controller(std::string_view name) const;
  // Whether the path that is printed is one in this hierarchy.
  bool is_of(const CgroupEntry& entry) const;
};

// "memory", "cpu,cpuacct", "unified": for people.
std::string hierarchy_name(const CgroupMount& mount);

inline constexpr std::size_t kCgroupMountsLimit = 256;

// /proc/self/mountinfo. Other file systems and lines that are none are passed over.
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

// `root` is put before every path: empty for this machine, or a tree that looks like
// one. Mounts that are hidden by others cannot be told from those that are not.
// Fails if there is none.
Result<std::vector<CgroupMount>> read_cgroup_mounts(const std::string& root);

// The directory of the group that /proc/PID/cgroup calls `path`; only if it exists.
// Where the mount shows ancestors of our own cgroup namespace whose names are not
// told, they are guessed from what is there: the only ones below which there is such
// a group. Nothing if there are several: "/", for one, which is our own group.
std::optional<std::string> group_directory(const CgroupMount& mount, std::string_view path);

// The same in the first of `mounts` that shows the group of this entry.
struct GroupPlace {
  const CgroupMount* mount = nullptr;  // in `mounts`
  std::string directory;
};
std::optional<GroupPlace> group_place(const std::vector<CgroupMount>& mounts, const CgroupEntry& entry);

}  // namespace madvtrace
