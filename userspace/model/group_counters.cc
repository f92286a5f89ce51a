// SPDX-License-Identifier: Apache-2.0
#include "model/group_counters.h"

#include <algorithm>

namespace madvtrace {
namespace {

struct Counter {
  std::optional<std::uint64_t> GroupCounts::*value;
  std::optional<CallKind> kind;  // none: it has no rows
};

constexpr std::array kAll{
    Counter{&GroupCounts::oom_kills, CallKind::kOomKill},
    Counter{&GroupCounts::high_events, CallKind::kMemoryHigh},
    Counter{&GroupCounts::max_events, CallKind::kMemoryMax},
    Counter{&GroupCounts::pressure_some_us, CallKind::kMemoryPressure},
    Counter{&GroupCounts::pressure_full_us, std::nullopt},
};

bool worth_telling(const GroupHappening& happening) {
  return happening.kind != CallKind::kMemoryPressure || is_much_pressure(happening.grown, happening.within_ns);
}

}  // namespace

std::vector<GroupHappening> GroupCounters::advance(const GroupSample& sample) {
  static_assert(kAll.size() == kCounters);
  std::vector<GroupHappening> happenings;
  for (std::size_t i = 0; i < kAll.size(); ++i) {
    const Counter& counter = kAll.at(i);
    const std::optional<std::uint64_t> value = sample.counts.*counter.value;
    if (!value) continue;
    std::optional<Known>& last = last_.at(i);
    std::optional<std::uint64_t>& growth = growth_.*counter.value;
    if (!growth) growth = 0;
    if (last) {
      const std::uint64_t grown = *value < last->value ? *value : *value - last->value;
      *growth += grown;
      const std::uint64_t now_ns = sample.stamp.mono_ns;
      const std::uint64_t within_ns = now_ns - std::min(now_ns, last->mono_ns);
      if (grown != 0 && counter.kind) {
        const GroupHappening happening{.kind = *counter.kind, .grown = grown, .within_ns = within_ns};
        if (worth_telling(happening)) happenings.push_back(happening);
      }
    }
    last = {.value = *value, .mono_ns = sample.stamp.mono_ns};
  }
  return happenings;
}

}  // namespace madvtrace
