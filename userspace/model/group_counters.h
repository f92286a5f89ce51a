// SPDX-License-Identifier: Apache-2.0
// What happened to a cgroup, from counters that the kernel keeps since the group was
// made: each sample says how far they have got, the difference to the one before what
// happened in between.
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

// How much each has grown while it was watched. Empty: never known.
struct GroupGrowth {
  std::optional<std::uint64_t> oom_kills;
  std::optional<std::uint64_t> high_events;
  std::optional<std::uint64_t> max_events;
  std::optional<std::uint64_t> pressure_some_us;
  std::optional<std::uint64_t> pressure_full_us;
};

// One row of events.csv.
struct GroupHappening {
  CallKind kind = CallKind::kOomKill;
  std::uint64_t grown = 0;      // kMemoryPressure: microseconds
  std::uint64_t within_ns = 0;  // since the sample before that knew the counter
};

class GroupCounters {
 public:
  // Pressure is told of only if some task waited for more than 1% of the time.
  std::vector<GroupHappening> advance(const GroupSample& sample);
  // What comes next is of another group.
  void start_over() { last_ = {}; }

  const GroupGrowth& growth() const { return growth_; }

 private:
  struct Known {
    std::uint64_t value = 0;
    std::uint64_t mono_ns = 0;
  };
  static constexpr std::size_t kCounters = 5;

  std::array<std::optional<Known>, kCounters> last_;
  GroupGrowth growth_;
};

}  // namespace madvtrace
