// SPDX-License-Identifier: Apache-2.0
#include "kernel/hooks.h"

#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "kernel/libbpf_log.h"

namespace madvtrace {
namespace {

// As libbpf does it, but with the number from a tracefs that need not be mounted.
Result<Link> attach_syscall(const Hook& hook, const TraceFs& tracefs) {
  MADV_TAKE(const std::uint64_t id, tracefs.event_id("syscalls", hook.name.substr(hook.name.find(':') + 1)));
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = id;
  UniqueFd event(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, /*pid=*/-1, /*cpu=*/0, /*group=*/-1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) return fail(ExitCode::kUnsupported, errno_text("cannot open " + hook.name, errno));
  Link link(bpf_program__attach_perf_event(hook.program, event.get()));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("cannot attach to " + hook.name, errno));
  event.release();  // the link closes it
  return link;
}

}  // namespace

void LinkDeleter::operator()(bpf_link* link) const { bpf_link__destroy(link); }

Result<Link> attach(const Hook& hook, const TraceFs& tracefs) {
  take_first_libbpf_warning();
  if (!bpf_program__autoload(hook.program)) return fail(ExitCode::kUnsupported, "this kernel has no " + hook.name);
  if (bpf_program__type(hook.program) == BPF_PROG_TYPE_TRACEPOINT) return attach_syscall(hook, tracefs);
  Link link(bpf_program__attach(hook.program));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("cannot attach to " + hook.name, errno));
  return link;
}

}  // namespace madvtrace
