// SPDX-License-Identifier: Apache-2.0
// What the kernel charges to a memory cgroup and counts of it, as containers/group_memory.h
// reads it: the group with all its descendants. Empty: the kernel, this version of cgroups,
// or this group does not have it. The root group, which is the machine, has none.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>

#include "base/field.h"

namespace madvtrace {

struct GroupCharge {
  // memory.usage_in_bytes, memory.current.
  std::optional<std::uint64_t> usage_bytes;
  // usage - inactive_file, not below 0: container_memory_working_set_bytes as cAdvisor
  // and the kubelet compute it (setMemoryStats in cAdvisor's container/libcontainer).
  std::optional<std::uint64_t> working_set_bytes;
  // Pages marked by MADV_FREE are on the inactive_file list (they are clean and may
  // just be dropped), though they are anonymous memory and still in RSS.
  std::optional<std::uint64_t> inactive_file_bytes;
  // The smallest limit of its own and its ancestors': what it cannot grow over; also empty
  // if there is none. v1: the kernel's hierarchical_memory_limit. v2: as far up as the
  // mount shows, so from inside a cgroup namespace the limits above its root are not seen.
  std::optional<std::uint64_t> limit_bytes;
  // Charged, on the LRU lists, and neither mapped anonymous memory nor page cache: parts
  // of huge pages that were given back (they left RSS) while the whole page could not
  // be freed. The kernel splits it when memory gets short (mm/huge_memory.c,
  // deferred_split_scan). Measured on 6.18: half of each huge page released, all of it
  // shows here. Small values are lag.
  std::optional<std::uint64_t> deferred_split_bytes;
  // memory.stat: total_shmem, shmem. Shared memory and files of a tmpfs, mapped or not.
  std::optional<std::uint64_t> shmem_bytes;
  // memory.kmem.usage_in_bytes; `kernel` of memory.stat (since 5.18). What the kernel keeps
  // for the group: slab, sockets, stacks, page tables.
  std::optional<std::uint64_t> kernel_bytes;
  // memory.stat: total_active_file, active_file. Page cache that a working set includes.
  std::optional<std::uint64_t> active_file_bytes;
};

inline constexpr std::tuple kGroupChargeFields{
    Field{"usage_bytes", &GroupCharge::usage_bytes},
    Field{"working_set_bytes", &GroupCharge::working_set_bytes},
    Field{"inactive_file_bytes", &GroupCharge::inactive_file_bytes},
    Field{"limit_bytes", &GroupCharge::limit_bytes},
    Field{"deferred_split_bytes", &GroupCharge::deferred_split_bytes},
    Field{"shmem_bytes", &GroupCharge::shmem_bytes},
    Field{"kernel_bytes", &GroupCharge::kernel_bytes},
    Field{"active_file_bytes", &GroupCharge::active_file_bytes},
};

// Since the group was made.
struct GroupCounts {
  std::optional<std::uint64_t> oom_kills;    // memory.oom_control (since 4.13), memory.events
  std::optional<std::uint64_t> high_events;  // v2: throttled at memory.high
  std::optional<std::uint64_t> max_events;   // v2: was about to go over memory.max
  // v2, memory.pressure: microseconds in which some, or all, tasks waited for memory.
  std::optional<std::uint64_t> pressure_some_us;
  std::optional<std::uint64_t> pressure_full_us;
};

inline constexpr std::tuple kGroupCountsFields{
    Field{"oom_kills", &GroupCounts::oom_kills},
    Field{"high_events", &GroupCounts::high_events},
    Field{"max_events", &GroupCounts::max_events},
    Field{"pressure_some_us", &GroupCounts::pressure_some_us},
    Field{"pressure_full_us", &GroupCounts::pressure_full_us},
};

}  // namespace madvtrace
