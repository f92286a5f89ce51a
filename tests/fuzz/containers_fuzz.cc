// SPDX-License-Identifier: Apache-2.0
// Any bytes as what container runtimes, mountinfo and a memory cgroup say.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "containers/container_group.h"
#include "containers/container_state.h"
#include "containers/group_memory.h"
#include "containers/hierarchies.h"

namespace {

// What is told of a container can be printed, and its pid can be asked for.
void check(const std::optional<madvtrace::ContainerState>& state) {
  if (!state) return;
  if (state->pid < 0) __builtin_trap();
  for (const std::string& name : state->names) {
    if (name.empty() || name.find('\n') != std::string::npos) __builtin_trap();
  }
}

void check(const madvtrace::GroupMemory& memory) {
  if (memory.working_set_bytes && *memory.working_set_bytes > *memory.usage_bytes) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(madvtrace::parse_runc_state(text));
  check(madvtrace::parse_oci_config(text));
  check(madvtrace::parse_docker_config(text));
  static_cast<void>(madvtrace::parse_storage_names(text));
  if (madvtrace::parse_pid_file(text) < 0) __builtin_trap();

  for (madvtrace::CgroupMount& mount : madvtrace::parse_cgroup_mounts(text)) {
    static_cast<void>(madvtrace::hierarchy_name(mount));
    // Wherever it says that it is mounted, nothing is read but this.
    mount.directory = "/nonexistent";
    if (madvtrace::group_directory(mount, text)) __builtin_trap();
  }

  const std::string id(text.substr(0, text.find('\n')));
  const std::string_view rest = text.substr(id.size());
  if (const auto path = madvtrace::container_path(rest, id, id); path && !rest.starts_with(*path)) __builtin_trap();

  madvtrace::GroupMemoryText files;
  files.usage = files.stat = files.limit = files.events = files.pressure = std::string(text);
  files.ancestor_limits = {id};
  check(madvtrace::parse_group_memory(madvtrace::CgroupVersion::kV1, files));
  check(madvtrace::parse_group_memory(madvtrace::CgroupVersion::kV2, files));
  files.usage = id;
  check(madvtrace::parse_group_memory(madvtrace::CgroupVersion::kV2, files));
  return 0;
}
