// SPDX-License-Identifier: Apache-2.0
#include "targets/group_books.h"

#include <utility>

#include "procfs/cgroup.h"

namespace madvtrace {

GroupBooks::GroupBooks(const ProcRoot& proc) : proc_(proc) {
  if (Result<std::vector<CgroupMount>> mounts = read_cgroup_mounts("")) mounts_ = std::move(*mounts);
}

void GroupBooks::new_interval() {
  // A group that nobody asked for in a whole interval is let go.
  std::erase_if(groups_, [](const auto& entry) { return !entry.second.charge; });
  for (auto& [directory, group] : groups_) group.charge.reset();
}

GroupCharge GroupBooks::charge_of(std::uint32_t pid) {
  const auto entries = read_cgroup(proc_, static_cast<pid_t>(pid));
  if (!entries) return {};
  const std::optional<MemoryGroup> where = find_memory_group(mounts_, *entries);
  if (!where) return {};
  const auto [found, is_new] = groups_.try_emplace(where->directory);
  Group& group = found->second;
  if (group.charge) return *group.charge;
  if (is_new) {
    if (auto reader = GroupMemoryReader::open(*where); reader && !reader->is_root())
      group.reader.emplace(*std::move(reader));
  }
  group.charge.emplace();
  if (!group.reader) return {};
  if (const auto memory = group.reader->read()) {
    group.charge = static_cast<const GroupCharge&>(*memory);
  } else {
    // Removed; the next interval looks whether there is another of this name.
    groups_.erase(found);
    return {};
  }
  return *group.charge;
}

}  // namespace madvtrace
