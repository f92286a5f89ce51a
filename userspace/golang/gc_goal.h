// SPDX-License-Identifier: Apache-2.0
// MemStats.NextGC of Go 1.19 and later, which the runtime keeps nowhere and computes when
// it is asked: gcControllerState.heapGoalInternal() and memoryLimitHeapGoal() in
// src/runtime/mgcpacer.go, the same from 1.19 to 1.27 but for the headroom.
#pragma once

#include <cstdint>
#include <optional>

namespace madvtrace {

// Words of runtime.gcController, bytes.
struct GcGoalInput {
  std::uint64_t gc_percent_goal = 0;
  std::uint64_t sweep_min_trigger = 0;
  std::uint64_t triggered = UINT64_MAX;  // UINT64_MAX: no cycle is running
  std::uint64_t heap_marked = 0;
  std::uint64_t memory_limit = INT64_MAX;
  std::uint64_t heap_free = 0;
  std::uint64_t heap_alloc = 0;  // totalAlloc - totalFree
  std::uint64_t mapped_ready = 0;
  bool headroom_percent = false;  // 1.21 and later
};

// Nothing if the words contradict each other (read while they changed).
std::optional<std::uint64_t> gc_goal(const GcGoalInput& input);

}  // namespace madvtrace
