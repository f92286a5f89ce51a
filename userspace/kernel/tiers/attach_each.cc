// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "kernel/bpf_session.h"
#include "kernel/tiers/probes.h"
#include "kernel/tracefs.h"

namespace madvtrace {

AttachedHooks attach_each(const BpfSession& session) {
  AttachedHooks attached;
  const Result<TraceFs> tracefs = TraceFs::open();
  for (const Hook& hook : session.hooks()) {
    Result<Link> link = tracefs ? attach(hook, *tracefs) : tl::unexpected(tracefs.error());
    attached.status[hook.name] = link ? Status{} : tl::unexpected(link.error());
    if (link) attached.links.push_back(std::move(*link));
  }
  return attached;
}

}  // namespace madvtrace
