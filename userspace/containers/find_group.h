// SPDX-License-Identifier: Apache-2.0
// From what a person writes for a cgroup or a container to the group: --cgroup,
// --container.
//
// The text is taken as each of these in turn; the first that exists is meant:
//
//   1. a directory: "/sys/fs/cgroup/memory/docker/0123…"
//   2. a path in any hierarchy: "/system.slice/x.service", "kubepods/burstable",
//      "/../../x" as /proc/PID/cgroup prints it
//   3. a systemd unit: "nginx.service", "x.slice", "user@1000.service"
//   4. a container's id, in full
//   5. a container's name, "POD/CONTAINER", "NAMESPACE/POD/CONTAINER"
//   6. a pod's name, "NAMESPACE/POD": the pod's group, with all of its containers; as
//      well the id of its sandbox
//   7. at least four hexadecimal digits: the beginning of a container's id
//
// A path or a unit that exists in several hierarchies is the same group in each, and so
// is a container. It is looked at in the one with the memory controller, if that is a v1
// hierarchy and has it; else in the unified one; else in any.
//
// Which containers there are is known from the files of their runtimes (container_list)
// and, for ids, from the groups that processes are in. A pid out of a file is believed
// only if /proc says that it is in a group with the container's id, or in the one that
// the runtime recorded: others are left over from containers that are gone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "procfs/proc_root.h"

namespace madvtrace {

struct FoundGroup {
  std::vector<std::string> controllers;  // of its v1 hierarchy; none: the unified one
  std::string path;                      // in the hierarchy, as far as it is mounted here
  std::string directory;
  std::uint64_t id = 0;        // the kernel's, unique in its hierarchy: the inode number
  std::string how;             // "container 0123… (web), process 17 of /run/runc/…"
  std::string container_id;    // of a container only
  std::string container_name;  // if it has one; of several the first

  bool unified() const { return controllers.empty(); }
};

// `root` is put before every path, as in read_cgroup_mounts; `proc` has to be of the
// host's pid namespace. A failure is kAbsent if there is no such group now; there may be
// one later. The message of an ambiguity has further lines, one for each candidate.
Result<FoundGroup> find_group(const std::string& root, const ProcRoot& proc, std::string_view text);

}  // namespace madvtrace
