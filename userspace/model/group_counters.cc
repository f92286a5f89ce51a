// SPDX-License-Identifier: Apache-2.0
#include "model/group_counters.h"

#include <algorithm>

namespace madvtrace {
namespace {

struct Counter {
  std::optional<std::uint64_t> GroupSample::*value;
  std::optional<std::uint64_t> GroupGrowth::*growth;
  std::optional<CallKind> kind;  // none: it has no rows
};

constexpr std::array kAll{
    Counter{&GroupSample::oom_kills, &GroupGrowth::oom_kills, CallKind::kOomKill},
    Counter{&GroupSample::high_events, &GroupGrowth::high_events, CallKind::kMemoryHigh},
    Counter{&GroupSample::max_events, &GroupGrowth::max_events, CallKind::kMemoryMax},
    Counter{&GroupSample::pressure_some_us, &GroupGrowth::pressure_some_us, CallKind::kMemoryPressure},
    Counter{&GroupSample::pressure_full_us, &GroupGrowth::pressure_full_us, std::nullopt},
};

// More than 1% of the time; tasks always wait a little.
bool worth_telling(const GroupHappening& happening) {
  constexpr std::uint64_t kNsForAMicrosecond = std::uint64_t{100} * 1'000;
  return happening.kind != CallKind::kMemoryPressure || happening.grown > happening.within_ns / kNsForAMicrosecond;
}

}  // namespace

std::vector<GroupHappening> GroupCounters::advance(const GroupSample& sample) {
  static_assert(kAll.size() == kCounters);
  std::vector<GroupHappening> happenings;
  for (std::size_t i = 0; i < kAll.size(); ++i) {
    const Counter& counter = kAll.at(i);
    const std::optional<std::uint64_t> value = sample.*counter.value;
    if (!value) continue;
    std::optional<Known>& last = last_.at(i);
    std::optional<std::uint64_t>& growth = growth_.*counter.growth;
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
