// SPDX-License-Identifier: Apache-2.0
#include "containers/container_state.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "procfs/text.h"

namespace madvtrace {
namespace {

using Json = nlohmann::json;

// A name of Kubernetes has at most 253 characters, an id of Docker 64.
constexpr std::size_t kNameLimit = 256;
constexpr std::size_t kPathLimit = 4096;

// Names stand in messages, each in a line of its own.
bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

const Json* member(const Json* json, const char* name) {
  if (json == nullptr) return nullptr;
  const auto found = json->find(name);  // end() of what is no object
  return found != json->end() ? &*found : nullptr;
}

std::string text_of(const Json* json, std::size_t limit = kNameLimit) {
  if (json == nullptr || !json->is_string()) return {};
  const auto& text = json->get_ref<const std::string&>();
  return text.size() <= limit && is_printable(text) ? text : std::string();
}

pid_t pid_of(const Json* json) {
  if (json == nullptr || !json->is_number_unsigned()) return 0;
  const auto pid = json->get<std::uint64_t>();
  return pid <= std::uint64_t{std::numeric_limits<pid_t>::max()} ? static_cast<pid_t>(pid) : 0;
}

std::optional<Json> parse_object(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

void add_name(ContainerState& state, std::string name) {
  if (!name.empty()) state.names.push_back(std::move(name));
}

// The first of these keys that is there.
std::string first_of(const Json* annotations, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    std::string text = text_of(member(annotations, key));
    if (!text.empty()) return text;
  }
  return {};
}

// containerd, CRI-O and cri-dockerd, each with keys of its own.
void add_kubernetes_names(ContainerState& state, const Json* annotations) {
  std::string name = first_of(annotations, {"io.kubernetes.cri.container-name", "io.kubernetes.container.name"});
  state.pod = first_of(annotations, {"io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"});
  state.pod_namespace = first_of(annotations, {"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"});
  const std::string type = first_of(annotations, {"io.kubernetes.cri.container-type",
                                                  "io.kubernetes.cri-o.ContainerType", "io.kubernetes.docker.type"});
  state.sandbox = type == "sandbox" || type == "podsandbox";
  // CRI-O and cri-dockerd call every sandbox "POD".
  if (!state.sandbox) add_name(state, std::move(name));
}

// "/sys/fs/cgroup/memory/kubepods/…" as runc saw it: the path in the hierarchy.
// runc mounts, or finds, every v1 hierarchy in a directory of its own there.
std::string path_in_hierarchy(std::string directory, std::string_view mount) {
  return directory.starts_with(mount) && directory.size() > mount.size() && directory[mount.size()] == '/'
             ? directory.substr(mount.size())
             : std::string();
}

}  // namespace

std::optional<ContainerState> parse_runc_state(std::string_view json) {
  const std::optional<Json> parsed = parse_object(json);
  if (!parsed) return std::nullopt;
  ContainerState state;
  state.id = text_of(member(&*parsed, "id"));
  state.pid = pid_of(member(&*parsed, "init_process_pid"));
  const Json* paths = member(&*parsed, "cgroup_paths");
  state.cgroup_path = path_in_hierarchy(text_of(member(paths, "memory"), kPathLimit), "/sys/fs/cgroup/memory");
  if (state.cgroup_path.empty()) {
    const std::string unified = text_of(member(paths, ""), kPathLimit);
    state.cgroup_path = path_in_hierarchy(unified, "/sys/fs/cgroup/unified");
    if (state.cgroup_path.empty()) state.cgroup_path = path_in_hierarchy(unified, "/sys/fs/cgroup");
  }
  return state;
}

std::optional<ContainerState> parse_oci_config(std::string_view json) {
  const std::optional<Json> parsed = parse_object(json);
  if (!parsed) return std::nullopt;
  ContainerState state;
  add_kubernetes_names(state, member(&*parsed, "annotations"));
  return state;
}

std::optional<ContainerState> parse_docker_config(std::string_view json) {
  const std::optional<Json> parsed = parse_object(json);
  if (!parsed) return std::nullopt;
  ContainerState state;
  state.id = text_of(member(&*parsed, "ID"));
  std::string name = text_of(member(&*parsed, "Name"));
  if (name.starts_with('/')) name.erase(0, 1);
  add_name(state, std::move(name));
  state.pid = pid_of(member(member(&*parsed, "State"), "Pid"));
  add_kubernetes_names(state, member(member(&*parsed, "Config"), "Labels"));
  return state;
}

std::map<std::string, std::vector<std::string>> parse_storage_names(std::string_view json) {
  std::map<std::string, std::vector<std::string>> names;
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_array()) return names;
  for (const Json& container : parsed) {
    const std::string id = text_of(member(&container, "id"));
    const Json* list = member(&container, "names");
    if (id.empty() || list == nullptr || !list->is_array()) continue;
    for (const Json& one : *list) {
      std::string name = text_of(&one);
      if (!name.empty()) names[id].push_back(std::move(name));
    }
  }
  return names;
}

pid_t parse_pid_file(std::string_view text) {
  const std::optional<pid_t> pid = parse_integer<pid_t>(take_until(text, '\n'));
  return pid && *pid > 0 ? *pid : 0;
}

}  // namespace madvtrace
