// SPDX-License-Identifier: Apache-2.0
// The part of the kernel side that makes targets of the processes of a cgroup (bpf/lib/group.bpf.h). It is no tier to
// choose, and comes with a group that is to be watched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/tiers/tier.h"

namespace madvtrace {

// Tells when processes are moved between cgroups.
inline constexpr const char* kGroupHook = "cgroup:cgroup_attach_task";

class GroupTier : public Tier {
 public:
  explicit GroupTier(madvtrace_bpf& skeleton) : skeleton_(skeleton) {}

  Status configure() override;
  std::vector<Hook> hooks() const override;

  // As BpfSession::watch_group(), for what happens from now on.
  Status watch(std::uint64_t id, const std::vector<std::string>& controllers) const;
  // As BpfSession::leave_out().
  bool leave_out(std::uint32_t pid, std::uint32_t programs_run) const;

 private:
  madvtrace_bpf& skeleton_;
};

}  // namespace madvtrace
