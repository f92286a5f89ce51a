// SPDX-License-Identifier: Apache-2.0
#include "tests/live/kernel_objects.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include "base/unique_fd.h"

namespace madvtrace {
namespace {

bool exists(bpf_cmd command, std::uint32_t id) {
  bpf_attr attributes{};
  attributes.prog_id = id;  // at the same place in the union as map_id and link_id
  const UniqueFd object(static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof(attributes))));
  return static_cast<bool>(object);
}

std::set<std::uint32_t> existing(bpf_cmd command, const std::set<std::uint32_t>& ids) {
  std::set<std::uint32_t> found;
  for (const std::uint32_t id : ids) {
    if (exists(command, id)) found.insert(id);
  }
  return found;
}

}  // namespace

std::string KernelObjects::text() const {
  std::string text;
  const auto add = [&](const char* name, const std::set<std::uint32_t>& ids) {
    for (const std::uint32_t id : ids) text += std::string(text.empty() ? "" : ", ") + name + " " + std::to_string(id);
  };
  add("program", programs);
  add("map", maps);
  add("link", links);
  return text;
}

KernelObjects kernel_objects_of(pid_t pid) {
  KernelObjects objects;
  std::error_code gone;
  const std::filesystem::path directory = "/proc/" + std::to_string(pid) + "/fdinfo";
  for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
    std::ifstream info(entry.path());
    std::string name;
    for (std::string line; info >> name && std::getline(info, line);) {
      if (name == "prog_id:") objects.programs.insert(static_cast<std::uint32_t>(std::stoul(line)));
      if (name == "map_id:") objects.maps.insert(static_cast<std::uint32_t>(std::stoul(line)));
      if (name == "link_id:") objects.links.insert(static_cast<std::uint32_t>(std::stoul(line)));
    }
  }
  return objects;
}

KernelObjects still_there(const KernelObjects& objects) {
  return {.programs = existing(BPF_PROG_GET_FD_BY_ID, objects.programs),
          .maps = existing(BPF_MAP_GET_FD_BY_ID, objects.maps),
          .links = existing(BPF_LINK_GET_FD_BY_ID, objects.links)};
}

KernelObjects left_of(const KernelObjects& objects) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    KernelObjects left = still_there(objects);
    if (left.size() == 0 || std::chrono::steady_clock::now() > until) return left;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace madvtrace
