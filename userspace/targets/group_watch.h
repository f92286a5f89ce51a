// SPDX-License-Identifier: Apache-2.0
// The cgroup that is watched, once an interval: what it is charged and what its counters
// say, how many processes are in it, and whether it is still there.
//
// The group is the one in the hierarchy in which it was named; what it is charged is known
// to the memory controller's, which may be another:
//
//   the group has the memory controller          -> itself
//   the unified hierarchy, not enabled for it    -> the nearest ancestor that has it
//   a hierarchy without the memory controller    -> the memory group of its first process,
//                                                   looked for again until there is one
//   none of these, or the root, the machine      -> nothing is known
//
// A group that is removed and made again under its name is another group: this watch is
// over then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "containers/find_group.h"
#include "containers/group_memory.h"
#include "model/event.h"
#include "procfs/proc_root.h"

namespace madvtrace {

class GroupWatch {
 public:
  // `root` is put before every path, as in find_group; `proc` has to outlive this. A group
  // that has gone since it was found is gone from the beginning.
  GroupWatch(const std::string& root, const ProcRoot& proc, FoundGroup group);

  const FoundGroup& group() const { return group_; }
  // For the stream. `name`: as the user wrote it.
  GroupInfo info(std::string name, bool go_only) const;

  // Removed, or another of its name is there.
  bool gone() const;
  // What is known of it now, the rest empty; nothing if it is gone. Some ten small files,
  // and one more for each group below it.
  std::optional<GroupSample> sample();
  // Whether the process is in the group or in one below it, now.
  bool contains(std::uint32_t pid) const;

  // The group whose charge sample() has; null if there is none.
  const MemoryGroup* memory_group() const { return reader_ ? &reader_->group() : nullptr; }

 private:
  struct Members {
    std::optional<std::uint64_t> count;
    std::optional<std::uint32_t> first;
  };
  Members members() const;
  const CgroupMount* mount() const;
  void find_memory(const std::optional<std::uint32_t>& first_process);

  const ProcRoot& proc_;
  FoundGroup group_;
  std::vector<CgroupMount> mounts_;
  // Keeps the kernel, or the file system of a test, from giving its number to another.
  UniqueFd directory_;
  std::optional<GroupMemoryReader> reader_;
};

}  // namespace madvtrace
