// SPDX-License-Identifier: Apache-2.0
// What the kernel charges to one cgroup: the numbers by which containers are limited
// and killed, beside the RSS of their processes.
//
//   find_memory_group(mounts, /proc/PID/cgroup) -> MemoryGroup
//   GroupMemoryReader::open -> read() once an interval -> GroupMemory
//
// All numbers are of a group with all its descendants. The kernel charges in batches
// for each CPU (MEMCG_CHARGE_BATCH, 64 pages) and adds the numbers of memory.stat up
// lazily, so they lag by some pages. The files of a group are read one after the
// other: they are not of one moment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/group_charge.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "containers/hierarchies.h"
#include "procfs/cgroup.h"

namespace madvtrace {

enum class CgroupVersion { kV1, kV2 };

struct GroupMemory : GroupCharge, GroupCounts {
  std::optional<std::uint64_t> anon_bytes;       // memory.stat: total_rss, anon
  std::optional<std::uint64_t> own_limit_bytes;  // memory.limit_in_bytes, memory.max; empty as well: there is none
};

// The files as they were read; nothing where there is no such file.
struct GroupMemoryText {
  std::optional<std::string> usage;
  std::optional<std::string> stat;
  std::optional<std::string> limit;
  std::optional<std::string> kernel;  // v1: memory.kmem.usage_in_bytes
  std::optional<std::string> events;  // memory.oom_control of v1
  std::optional<std::string> pressure;
  std::vector<std::string> ancestor_limits;  // v2
};
GroupMemory parse_group_memory(CgroupVersion version, const GroupMemoryText& text);

struct MemoryGroup {
  CgroupVersion version = CgroupVersion::kV2;
  std::string directory;
  friend bool operator==(const MemoryGroup&, const MemoryGroup&) = default;
};

// The group to which the memory of a process is charged that is in these groups: in
// the memory controller's v1 hierarchy, or in the unified one the nearest ancestor
// for which the controller is enabled. Nothing where no such hierarchy, or not this
// part of it, is mounted. Memory stays charged to the group that a process was in
// when it touched it (v1 unless move_charge_at_immigrate, v2 always).
std::optional<MemoryGroup> find_memory_group(const std::vector<CgroupMount>& mounts,
                                             const std::vector<CgroupEntry>& entries);

// The same for a group that was named by its directory.
std::optional<MemoryGroup> memory_group_at(const CgroupMount& mount, const std::string& directory);

// A failure is kGone if the group was removed, or its memory controller disabled: it will
// not come back under this reader. A group of the same name may have been made since.
class GroupMemoryReader {
 public:
  static Result<GroupMemoryReader> open(const MemoryGroup& group);

  // Some five small files, and one more for each ancestor on v2. memory.stat makes the
  // kernel add up the group's counters of all CPUs: not for more than once an interval.
  Result<GroupMemory> read() const;

  const MemoryGroup& group() const { return group_; }
  // The root of its hierarchy: its books are the whole machine's.
  bool is_root() const;
  // The kernel's id of the group, unique in its hierarchy: the inode number.
  std::uint64_t id() const { return id_; }

 private:
  GroupMemoryReader(MemoryGroup group, UniqueFd directory, std::uint64_t id)
      : group_(std::move(group)), directory_(std::move(directory)), id_(id) {}

  MemoryGroup group_;
  UniqueFd directory_;
  std::uint64_t id_ = 0;
};

}  // namespace madvtrace
