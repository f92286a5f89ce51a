// SPDX-License-Identifier: Apache-2.0
// The hooks, tier by tier, and attaching one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/tracefs.h"

struct bpf_link;
struct bpf_program;
struct madvtrace_bpf;

namespace madvtrace {

struct LinkDeleter {
  void operator()(bpf_link* link) const;
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

struct Hook {
  std::string name;  // as perf writes it: "syscalls:sys_enter_madvise"
  bpf_program* program = nullptr;
};

// In the order in which they are attached: ends before begins, so that no begin is
// seen of which the end would be missed.
std::vector<Hook> base_hooks(madvtrace_bpf& skeleton);

// Those that tell when the kernel reclaims, from when to when. Each may be missing (a kernel without
// memory cgroups has no memcg reclaim, one without NUMA no node reclaim): then only the
// timer makes us look, and that kind of reclaim has no name.
std::vector<Hook> reclaim_hooks(madvtrace_bpf& skeleton);

// Those of tier exact: the changes of RSS, with the program for this kernel's flavour of it.
// `load()` of the session has chosen it.
std::vector<Hook> exact_hooks(madvtrace_bpf& skeleton);

// The one that makes it more exact and may be missing: the moment at which a page is taken.
Hook moment_hook(madvtrace_bpf& skeleton);

// Tells when processes are moved between cgroups.
Hook group_hook(madvtrace_bpf& skeleton);

Result<Link> attach(const Hook& hook, const TraceFs& tracefs);

}  // namespace madvtrace
