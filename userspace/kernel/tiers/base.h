// SPDX-License-Identifier: Apache-2.0
// The tier that every trace has: calls, processes, when the kernel reclaims, the page walk, and the collections of Go
// programs. It costs nothing per page fault.
#pragma once

#include <optional>

#include "kernel/direct_map.h"
#include "kernel/gc_probes.h"
#include "kernel/page_walker.h"
#include "kernel/tiers/tier.h"

namespace madvtrace {

// The only hook on reclaim that a program can have hit by what it does to itself (6.17+).
inline constexpr const char* kReclaimPagesHook = "vmscan:mm_vmscan_reclaim_pages";

class BaseTier : public Tier {
 public:
  // `direct_map`: without it there is no page walk. `gc_marks`: whether gc_probes() will be asked for.
  BaseTier(madvtrace_bpf& skeleton, std::optional<DirectMap> direct_map, bool gc_marks)
      : skeleton_(skeleton), direct_map_(std::move(direct_map)), gc_marks_(gc_marks) {}

  Status configure() override;
  Status begin() override;
  std::vector<Hook> hooks() const override;

  // Null without the page walk.
  PageWalker* walker() { return walker_ ? &*walker_ : nullptr; }
  // Null where this kernel has no uprobes for BPF programs, or if they were not asked for.
  GcProbes* gc_probes() { return gc_probes_ ? &*gc_probes_ : nullptr; }

 private:
  madvtrace_bpf& skeleton_;
  std::optional<DirectMap> direct_map_;  // kept, since it holds the huge zero page
  bool gc_marks_;
  std::optional<PageWalker> walker_;
  std::optional<GcProbes> gc_probes_;
};

}  // namespace madvtrace
