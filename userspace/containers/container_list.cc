// SPDX-License-Identifier: Apache-2.0
#include "containers/container_list.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/file_text.h"
#include "containers/container_state.h"
#include "containers/directories.h"
#include "procfs/text.h"

namespace madvtrace {
namespace {

constexpr std::size_t kContainersLimit = 16'384;
constexpr std::size_t kFileLimitBytes = std::size_t{1024} * 1024;
constexpr std::size_t kListFileLimitBytes = std::size_t{8} * 1024 * 1024;

// Nothing for a file that is not there; one that is larger than anybody writes is no JSON
// then.
std::optional<std::string> read_state(const std::string& path, std::size_t limit_bytes = kFileLimitBytes) {
  tl::expected<FileText, int> file = read_text_at(AT_FDCWD, path, limit_bytes);
  if (!file) return std::nullopt;
  return std::move(file->text);
}

class Collection {
 public:
  using Use = std::function<void(const std::string&)>;

  // Every directory that a pattern names: '*' is any name, "*-containers" any with
  // this end.
  void for_each(const std::string& directory, std::string_view pattern, const Use& use, bool below_a_star = false) {
    if (pattern.empty()) {
      use(directory);
      return;
    }
    const std::string_view name = take_until(pattern, '/');
    if (!name.starts_with('*')) {
      const std::string path = fmt::format("{}/{}", directory, name);
      if (is_directory(path)) for_each(path, pattern, use, below_a_star);
      return;
    }
    const Directories found = list_directories(directory, kContainersLimit);
    auto& list = found.error == 0 ? list_.looked : list_.unreadable;
    if (!below_a_star && std::find(list.begin(), list.end(), directory) == list.end()) list.push_back(directory);
    for (const std::string& child : found.names) {
      if (child.ends_with(name.substr(1))) for_each(fmt::format("{}/{}", directory, child), pattern, use, true);
    }
  }

  void add(ContainerState state, const std::string& id, const std::string& source) {
    // A file that says that it is another container's is not believed.
    if (!state.id.empty() && state.id != id) return;
    Container& container = containers_[id];
    for (std::string& name : state.names) add_name(id, std::move(name));
    if (container.pod.empty()) container.pod = std::move(state.pod);
    if (container.pod_namespace.empty()) container.pod_namespace = std::move(state.pod_namespace);
    container.sandbox = container.sandbox || state.sandbox;
    if (state.pid > 0) {
      container.claims.push_back({.pid = state.pid, .cgroup_path = std::move(state.cgroup_path), .source = source});
    }
  }

  void add_name(const std::string& id, std::string name) {
    std::vector<std::string>& names = containers_[id].names;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }

  ContainerList take() {
    for (auto& [id, container] : containers_) {
      container.id = id;
      list_.containers.push_back(std::move(container));
    }
    return std::move(list_);
  }

 private:
  std::map<std::string, Container> containers_;
  ContainerList list_;
};

// The last, or with `up` an earlier, component of a path.
std::string component(std::string_view path, int up = 0) {
  for (; up > 0; --up) path = path.substr(0, path.rfind('/'));
  return std::string(path.substr(path.rfind('/') + 1));
}

void add_runc(Collection& all, const std::string& directory) {
  const std::string path = directory + "/state.json";
  const std::optional<std::string> text = read_state(path);
  if (std::optional<ContainerState> state = text ? parse_runc_state(*text) : std::nullopt) {
    all.add(std::move(*state), component(directory), path);
  }
}

void add_docker(Collection& all, const std::string& directory) {
  const std::string path = directory + "/config.v2.json";
  const std::optional<std::string> text = read_state(path);
  if (std::optional<ContainerState> state = text ? parse_docker_config(*text) : std::nullopt) {
    all.add(std::move(*state), component(directory), path);
  }
}

// A bundle, whose names and whose pid are in two files; either may be missing.
void add_bundle(Collection& all, const std::string& directory, const std::string& id, std::string_view pid_file) {
  const std::optional<std::string> config = read_state(directory + "/config.json");
  const std::string pid_path = fmt::format("{}/{}", directory, pid_file);
  const std::optional<std::string> pid = read_state(pid_path);
  if (!config && !pid) return;
  ContainerState state = config ? parse_oci_config(*config).value_or(ContainerState{}) : ContainerState{};
  state.pid = pid ? parse_pid_file(*pid) : 0;
  all.add(std::move(state), id, pid_path);
}

void add_storage_names(Collection& all, const std::string& directory) {
  const std::optional<std::string> text = read_state(directory + "/containers.json", kListFileLimitBytes);
  if (!text) return;
  for (auto& [id, names] : parse_storage_names(*text)) {
    for (std::string& name : names) all.add_name(id, std::move(name));
  }
}

}  // namespace

ContainerList list_containers(const std::string& root) {
  using Add = void (*)(Collection&, const std::string&);
  struct Source {
    std::string_view pattern;
    Add add;
  };
  constexpr Add kTask = [](Collection& all, const std::string& directory) {
    add_bundle(all, directory, component(directory), "init.pid");
  };
  constexpr Add kUserdata = [](Collection& all, const std::string& directory) {
    add_bundle(all, directory, component(directory, 1), "pidfile");
  };
  constexpr std::array<Source, 10> kSources{{
      {"run/runc/*", add_runc},
      {"run/containerd/runc/*/*", add_runc},
      {"run/docker/runtime-runc/*/*", add_runc},
      {"run/containerd/io.containerd.runtime.v2.task/*/*", kTask},
      {"run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/*", kTask},
      {"run/k3s/containerd/io.containerd.runtime.v2.task/*/*", kTask},
      {"var/lib/docker/containers/*", add_docker},
      {"run/containers/storage/*-containers/*/userdata", kUserdata},
      {"var/lib/containers/storage/*-containers/*/userdata", kUserdata},
      {"var/lib/containers/storage/*-containers", add_storage_names},
  }};
  Collection all;
  for (const std::string& prefix : {root, root + "/host"}) {
    for (const Source& source : kSources) {
      all.for_each(prefix, source.pattern, [&](const std::string& directory) { source.add(all, directory); });
    }
  }
  return all.take();
}

}  // namespace madvtrace
