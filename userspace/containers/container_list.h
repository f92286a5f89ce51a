// SPDX-License-Identifier: Apache-2.0
// The containers that the runtimes of this machine have written down.
//
// Where each file is, below the root directory and below its /host, where a container
// that watches the machine has the machine's directories:
//
//   /run/runc/ID, /run/containerd/runc/NAMESPACE/ID,
//   /run/docker/runtime-runc/moby/ID                       state.json
//   /run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID, the same of k3s and of
//   Docker's own containerd                                init.pid, config.json
//   /var/lib/docker/containers/ID                          config.v2.json
//   /run/containers/storage/*-containers/ID/userdata       pidfile, config.json
//   /var/lib/containers/storage/*-containers               containers.json,
//                                                          ID/userdata/config.json
//
// The last two are Podman's and CRI-O's; * is the storage driver. Directories that
// were configured to be elsewhere are not known.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace madvtrace {

// What the files of one id say together.
struct Container {
  std::string id;
  std::vector<std::string> names;
  std::string pod;
  std::string pod_namespace;
  bool sandbox = false;

  // A process that a file says is its first.
  struct Claim {
    pid_t pid = 0;
    std::string cgroup_path;  // empty: not told
    std::string source;       // the file
  };
  std::vector<Claim> claims;
};

struct ContainerList {
  std::vector<Container> containers;  // by id
  std::vector<std::string> looked;    // the directories that exist
  std::vector<std::string> unreadable;
};

// At most 16,384 containers a directory, and of every file at most some MiB: what is
// over is left out, as are files that cannot be understood.
ContainerList list_containers(const std::string& root);

}  // namespace madvtrace
