// SPDX-License-Identifier: Apache-2.0
// What the memory cgroups of traced processes are charged, each group read once an
// interval however many processes are in it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "containers/group_memory.h"
#include "model/event.h"
#include "procfs/proc_root.h"

namespace madvtrace {

class GroupBooks {
 public:
  // Where no cgroups are mounted, nothing is ever known.
  explicit GroupBooks(const ProcRoot& proc);

  // What was read until now is old.
  void new_interval();
  // The group that the process is in now. All empty if that is the root group, or it
  // cannot be read.
  GroupCharge charge_of(std::uint32_t pid);

 private:
  struct Group {
    std::optional<GroupMemoryReader> reader;  // none for a root
    std::optional<GroupCharge> charge;        // of this interval
  };

  const ProcRoot& proc_;
  std::vector<CgroupMount> mounts_;
  std::map<std::string, Group> groups_;  // by directory
};

}  // namespace madvtrace
