// SPDX-License-Identifier: Apache-2.0
// What container runtimes write down about their containers, file by file. Pure
// functions over text that may be anything; what reads the files is container_list.
//
// None of it is believed without /proc: a file may be left over from a container that
// is gone, and its pid may belong to another process now (find_group checks).
//
// From the files of runc 1.1.5, containerd 1.6.20, Docker 20.10.24 and Podman 4.3.1; the
// annotations of Kubernetes' runtimes from containerd's pkg/cri/annotations, CRI-O's
// pkg/annotations and cri-dockerd's libdocker labels.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace madvtrace {

// Empty, or 0: not told.
struct ContainerState {
  std::string id;                  // not told by every file: the directory's name then
  std::vector<std::string> names;  // of the container: Docker's, Kubernetes', Podman's
  std::string pod;
  std::string pod_namespace;
  bool sandbox = false;  // a pod's own container, which holds its namespaces
  pid_t pid = 0;         // of its first process, in the runtime's pid namespace
  // Of its group in the memory controller's hierarchy, or in the unified one.
  std::string cgroup_path;
};

// runc's state.json (libcontainer.State): id, init_process_pid, cgroup_paths.
std::optional<ContainerState> parse_runc_state(std::string_view json);

// An OCI bundle's config.json: annotations, where Kubernetes' runtimes leave names.
std::optional<ContainerState> parse_oci_config(std::string_view json);

// Docker's config.v2.json: ID, Name, State.Pid, labels.
std::optional<ContainerState> parse_docker_config(std::string_view json);

// containers.json of containers/storage (Podman, CRI-O): id -> names.
std::map<std::string, std::vector<std::string>> parse_storage_names(std::string_view json);

// A file with nothing but a pid: init.pid, pidfile. 0 if it is none.
pid_t parse_pid_file(std::string_view text);

}  // namespace madvtrace
