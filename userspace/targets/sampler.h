// SPDX-License-Identifier: Apache-2.0
// Looks at the memory of a process: /proc/PID/status, what its cgroup is charged,
// what the Go runtime says of itself, and a page walk of its private anonymous mappings for
// what none of them says (lazily freed, huge, resident in the Go heap). Never smaps,
// which holds the target's mmap_lock for all of its walk.
//
// The walks keep to a budget of CPU time: when one was too long for the interval,
// the next ones are left out and those columns stay empty.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernel/page_walker.h"
#include "model/event.h"
#include "procfs/proc_root.h"
#include "targets/group_books.h"
#include "targets/target.h"
#include "targets/walk_budget.h"

namespace madvtrace {

class Sampler {
 public:
  // `walker` may be null; all must outlive this.
  Sampler(const ProcRoot& proc, PageWalker* walker, WalkBudget& budget, GroupBooks& groups)
      : proc_(proc), walker_(walker), budget_(budget), groups_(groups) {}

  // `always`: walk even over budget (the last sample of a process).
  std::optional<Sample> sample(Target& target, bool always);

 private:
  void walk(std::uint32_t pid, const std::vector<AddressRange>& arenas, Sample& sample);

  const ProcRoot& proc_;
  PageWalker* walker_;
  WalkBudget& budget_;
  GroupBooks& groups_;
};

// What of `range` lies in the others, which are ascending and do not overlap, and what
// lies between them.
struct SplitRange {
  std::vector<AddressRange> inside;
  std::vector<AddressRange> outside;
};
SplitRange split_range(const AddressRange& range, const std::vector<AddressRange>& others);

}  // namespace madvtrace
