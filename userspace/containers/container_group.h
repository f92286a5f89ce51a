// SPDX-License-Identifier: Apache-2.0
// From a container to its group, by what /proc/PID/cgroup says. A container's first
// process may have made groups below its own (systemd does), so its group is the
// ancestor that is called after the container.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "containers/container_list.h"
#include "procfs/cgroup.h"
#include "procfs/proc_root.h"

namespace madvtrace {

// 64 hexadecimal digits: an id of Docker, containerd's CRI, CRI-O and Podman.
bool is_long_id(std::string_view text);
// At least four of them and not more than 64: what people write for a long id.
bool is_short_id(std::string_view text);

// Whether a group of this name is a container's: the id, or, if it is a long one,
// "docker-<id>.scope", "cri-containerd-<id>.scope", "libpod-<id>", … Not the monitor
// beside it, "crio-conmon-<id>.scope".
bool is_group_of(std::string_view group_name, std::string_view id);

// The long id that a group's name ends in, or that is all of it; empty if there is
// none.
std::string_view long_id_in(std::string_view group_name);

// `path`, or the ancestor of it that is called after the container, or that is the one
// its runtime recorded (empty: it did not; seen from a cgroup namespace only the end
// of it can be compared). Nothing if there is none: the process is not in this
// container.
std::optional<std::string> container_path(std::string_view path, std::string_view id, std::string_view recorded);

// The groups of a container, one for each hierarchy in which it has one. Empty: the
// process that the claim names is not in it (any more).
std::vector<CgroupEntry> claimed_groups(const ProcRoot& proc, const std::string& id, const Container::Claim& claim);

// The containers with a long id that processes are in: id -> groups. At most 65,536.
using SeenContainers = std::map<std::string, std::vector<CgroupEntry>, std::less<>>;
SeenContainers scan_for_containers(const ProcRoot& proc);

}  // namespace madvtrace
