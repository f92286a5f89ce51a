// SPDX-License-Identifier: Apache-2.0
// Tells from the kernel side's sums who has reclaimed since the last look.
//
// The kernel says how many pages a reclaim took when it ends. Pages that are found gone
// while it is still under way were taken by it all the same: then it is told with an
// unknown number of pages. kswapd never tells a number.
//
// Pure. Does not promise that whoever is told took pages of a process that is traced.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "kernel/reclaim_sums.h"
#include "model/event.h"

namespace madvtrace {

class ReclaimWatch {
 public:
  // A reclaim whose end is not seen for that long has ended unseen: the kernel leaves out
  // a BPF program that would run inside of itself.
  static constexpr std::uint64_t kLongestNs = 60'000'000'000;

  // One target has reclaimed so much itself. `noticed` is kept with the target, empty at
  // first.
  struct OfTarget {
    std::uint32_t pid = 0;
    ReclaimSum& noticed;
    ReclaimSum now;
  };
  using AllTargets = std::function<std::vector<OfTarget>()>;

  ReclaimWatch(const ReclaimSums& sums, std::uint64_t now_ns) : sums_(sums), noticed_ns_(now_ns) {}

  // `targets` is only asked if one of them has reclaimed.
  std::vector<Reclaim> notice(const ReclaimSums& sums, const AllTargets& targets, std::uint64_t now_ns);

 private:
  ReclaimSums sums_;  // of the whole machine, at the last notice
  std::uint64_t noticed_ns_;
};

}  // namespace madvtrace
