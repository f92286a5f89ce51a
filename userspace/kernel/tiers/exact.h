// SPDX-License-Identifier: Apache-2.0
// The tier that counts every change of RSS by what caused it, and sees the moment at which a page is reclaimed
// (bpf/lib/rss.bpf.h, bpf/lib/reclaim_moment.bpf.h). Page faults take about 20% longer in the traced processes, and 8%
// in all others.
#pragma once

#include <cstdint>

#include "kernel/tiers/tier.h"

namespace madvtrace {

class ExactTier : public Tier {
 public:
  ExactTier(madvtrace_bpf& skeleton, bool has_page_walk) : skeleton_(skeleton), has_page_walk_(has_page_walk) {}

  Status configure() override;
  Status begin() override;
  std::vector<Hook> hooks() const override;

  // Writes into the ring what has changed this target's RSS.
  void tell(std::uint32_t pid) const;
  // It is no target any more; before it is taken out of the table.
  void forget(std::uint32_t pid) const;
  // Fine if the moment at which a page is reclaimed is recorded; else why not.
  const Status& moments() const { return moments_; }

 private:
  madvtrace_bpf& skeleton_;
  bool has_page_walk_;
  bool in_parts_ = false;  // how this kernel counts RSS: since 6.2, a part on each CPU
  Status moments_;
};

}  // namespace madvtrace
