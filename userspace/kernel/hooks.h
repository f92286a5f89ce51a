// SPDX-License-Identifier: Apache-2.0
// A hook, and attaching it. Which there are is what the tiers say (kernel/tiers).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/tracefs.h"

struct bpf_link;
struct bpf_program;

namespace madvtrace {

struct LinkDeleter {
  void operator()(bpf_link* link) const;
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

struct Hook {
  std::string name;  // as perf writes it: "syscalls:sys_enter_madvise"
  bpf_program* program = nullptr;
  bool optional = false;    // a kernel may be without it: then less is known, and the rest is right
  bool catches_up = false;  // what a hit that was missed would have counted, the next one does
};

// kUnsupported, with the reason in one line, if this kernel does not have it or refuses.
Result<Link> attach(const Hook& hook, const TraceFs& tracefs);

}  // namespace madvtrace
