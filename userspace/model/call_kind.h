// SPDX-License-Identifier: Apache-2.0
// CallKind is what a row of events.csv is about: a call, or a marker. The calls stand in
// the order of enum wire_syscall (bpf/records.h).
#pragma once

#include <cstdint>

#include "base/enum_names.h"

namespace madvtrace {

enum class CallKind : std::uint8_t {
  kMmap,
  kMunmap,
  kMadvise,
  kProcessMadvise,
  kMremap,
  kBrk,
  // Markers: no calls.
  kExec,
  kExit,
  kGcStart,
  kGcEnd,
  kGroupJoin,
  kGroupLeave,
  // Of the watched group: in an interval, no process.
  kOomKill,
  kMemoryHigh,
  kMemoryMax,
  kMemoryPressure
};

inline constexpr auto kCallNames = names_of<CallKind::kMemoryPressure>({
    {CallKind::kMmap, "mmap"},
    {CallKind::kMunmap, "munmap"},
    {CallKind::kMadvise, "madvise"},
    {CallKind::kProcessMadvise, "process_madvise"},
    {CallKind::kMremap, "mremap"},
    {CallKind::kBrk, "brk"},
    {CallKind::kExec, "exec"},
    {CallKind::kExit, "exit"},
    {CallKind::kGcStart, "gc_start"},
    {CallKind::kGcEnd, "gc_end"},
    {CallKind::kGroupJoin, "group_join"},
    {CallKind::kGroupLeave, "group_leave"},
    {CallKind::kOomKill, "oom_kill"},
    {CallKind::kMemoryHigh, "memory_high"},
    {CallKind::kMemoryMax, "memory_max"},
    {CallKind::kMemoryPressure, "memory_pressure"},
});

constexpr bool is_marker(CallKind call) { return call >= CallKind::kExec; }

}  // namespace madvtrace
