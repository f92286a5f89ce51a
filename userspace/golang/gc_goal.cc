// SPDX-License-Identifier: Apache-2.0
#include "golang/gc_goal.h"

#include <algorithm>

namespace madvtrace {
namespace {

constexpr std::uint64_t kMinHeadroom = std::uint64_t{1} << 20;
constexpr std::uint64_t kHeadroomPercent = 3;
constexpr std::uint64_t kMinRunway = std::uint64_t{64} << 10;

std::optional<std::uint64_t> memory_limit_goal(const GcGoalInput& input) {
  if (input.heap_alloc > input.mapped_ready || input.heap_free > input.mapped_ready - input.heap_alloc) {
    return std::nullopt;
  }
  const std::uint64_t not_heap = input.mapped_ready - input.heap_free - input.heap_alloc;
  const std::uint64_t overage = input.mapped_ready > input.memory_limit ? input.mapped_ready - input.memory_limit : 0;
  if (not_heap >= input.memory_limit || overage >= input.memory_limit - not_heap) return input.heap_marked;

  const std::uint64_t most = input.memory_limit - not_heap - overage;
  const std::uint64_t headroom =
      input.headroom_percent ? std::max(most / 100 * kHeadroomPercent, kMinHeadroom) : kMinHeadroom;
  // Never less than the headroom itself.
  const std::uint64_t goal = most < headroom || most - headroom < headroom ? headroom : most - headroom;
  return std::max(goal, input.heap_marked);
}

}  // namespace

std::optional<std::uint64_t> gc_goal(const GcGoalInput& input) {
  const std::optional<std::uint64_t> limit_goal = memory_limit_goal(input);
  if (!limit_goal) return std::nullopt;
  if (*limit_goal < input.gc_percent_goal) return limit_goal;
  std::uint64_t goal = std::max(input.gc_percent_goal, input.sweep_min_trigger);
  if (input.triggered < UINT64_MAX - kMinRunway) goal = std::max(goal, input.triggered + kMinRunway);
  return goal;
}

}  // namespace madvtrace
