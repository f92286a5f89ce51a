// SPDX-License-Identifier: Apache-2.0
// GroupCounters tells what happened to a cgroup, from counters that the kernel keeps since
// the group was made. Each sample says how far they have got; its difference to the one
// before is what happened in between.
//
// The first value that is known of a counter is where it starts from. One that has gone
// back is that of another group, made again under the same name since the sample before:
// all that it counts has happened since then.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/event.h"
#include "model/rows.h"

namespace madvtrace {

// Some task waited for memory for more than 1% of the time. Less than that does not count:
// tasks always wait a little.
constexpr bool is_much_pressure(std::uint64_t waited_us, std::uint64_t within_ns) {
  constexpr std::uint64_t kNsForAMicrosecond = std::uint64_t{100} * 1'000;
  return waited_us > within_ns / kNsForAMicrosecond;
}

// One row of events.csv.
struct GroupHappening {
  CallKind kind = CallKind::kOomKill;
  std::uint64_t grown = 0;      // kMemoryPressure: microseconds
  std::uint64_t within_ns = 0;  // since the sample before that knew the counter
};

class GroupCounters {
 public:
  // Pressure is told of only if it is much.
  std::vector<GroupHappening> advance(const GroupSample& sample);
  // What comes next is of another group.
  void start_over() { last_ = {}; }

  // Says how much each has grown while it was watched; empty if it was never known.
  const GroupCounts& growth() const { return growth_; }

 private:
  struct Known {
    std::uint64_t value = 0;
    std::uint64_t mono_ns = 0;
  };
  static constexpr std::size_t kCounters = 5;

  std::array<std::optional<Known>, kCounters> last_;
  GroupCounts growth_;
};

}  // namespace madvtrace
