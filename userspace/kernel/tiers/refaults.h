// SPDX-License-Identifier: Apache-2.0
// The tier that sees which pages are touched again after they were given back (bpf/lib/refault.bpf.h). It costs the
// traced processes about 15% of a page fault, and all others nothing.
#pragma once

#include <optional>

#include "kernel/fault_events.h"
#include "kernel/tiers/tier.h"

namespace madvtrace {

class RefaultsTier : public Tier {
 public:
  explicit RefaultsTier(madvtrace_bpf& skeleton) : skeleton_(skeleton) {}

  Status configure() override;
  Status begin() override;
  std::vector<Hook> hooks() const override { return {}; }  // each watched process has events of its own

  // Once it has begun.
  FaultEvents& events() { return *events_; }
  const FaultEvents& events() const { return *events_; }
  // As BpfSession::make_room_for_released().
  void make_room() const;

 private:
  madvtrace_bpf& skeleton_;
  std::optional<FaultEvents> events_;
};

}  // namespace madvtrace
