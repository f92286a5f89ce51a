// SPDX-License-Identifier: Apache-2.0
// CallKind is what a row of events.csv is about: a call, or a marker. The calls stand in
// the order of enum wire_syscall (bpf/records.h).
#pragma once

#include <cstdint>

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

constexpr bool is_marker(CallKind call) { return call >= CallKind::kExec; }

}  // namespace madvtrace
