// SPDX-License-Identifier: Apache-2.0
#include "kernel/hooks.h"

#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "bpf/control.h"
#include "kernel/libbpf_log.h"
#include "madvtrace.skel.h"

namespace madvtrace {
namespace {

constexpr std::string_view kSyscalls = "syscalls:";

// As libbpf does it, but with the number from a tracefs that need not be mounted.
Result<Link> attach_syscall(const Hook& hook, const TraceFs& tracefs) {
  const Result<std::uint64_t> id = tracefs.event_id("syscalls", hook.name.substr(kSyscalls.size()));
  if (!id) return tl::unexpected(id.error());
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = *id;
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

std::vector<Hook> base_hooks(madvtrace_bpf& skeleton) {
  auto& programs = skeleton.progs;
  return {{"syscalls:sys_exit_mmap", programs.on_call_exit},
          {"syscalls:sys_exit_munmap", programs.on_call_exit},
          {"syscalls:sys_exit_madvise", programs.on_call_exit},
          {"syscalls:sys_exit_process_madvise", programs.on_call_exit},
          {"syscalls:sys_exit_mremap", programs.on_call_exit},
          {"syscalls:sys_exit_brk", programs.on_call_exit},
          {"sched:sched_process_exit", programs.on_process_exit},
          {"sched:sched_process_exec", programs.on_process_exec},
          {"sched:sched_process_fork", programs.on_process_fork},
          {"syscalls:sys_enter_mmap", programs.on_mmap_enter},
          {"syscalls:sys_enter_munmap", programs.on_munmap_enter},
          {"syscalls:sys_enter_madvise", programs.on_madvise_enter},
          {"syscalls:sys_enter_process_madvise", programs.on_process_madvise_enter},
          {"syscalls:sys_enter_mremap", programs.on_mremap_enter},
          {"syscalls:sys_enter_brk", programs.on_brk_enter}};
}

std::vector<Hook> reclaim_hooks(madvtrace_bpf& skeleton) {
  auto& programs = skeleton.progs;
  return {{"vmscan:mm_vmscan_memcg_reclaim_end", programs.on_memcg_reclaim_end},
          {"vmscan:mm_vmscan_direct_reclaim_end", programs.on_direct_reclaim_end},
          {"vmscan:mm_vmscan_node_reclaim_end", programs.on_node_reclaim_end},
          {"vmscan:mm_vmscan_kswapd_sleep", programs.on_kswapd_sleep},
          {"vmscan:mm_vmscan_reclaim_pages", programs.on_reclaim_pages},
          {"vmscan:mm_vmscan_memcg_reclaim_begin", programs.on_memcg_reclaim_begin},
          {"vmscan:mm_vmscan_direct_reclaim_begin", programs.on_direct_reclaim_begin},
          {"vmscan:mm_vmscan_node_reclaim_begin", programs.on_node_reclaim_begin},
          {"vmscan:mm_vmscan_kswapd_wake", programs.on_kswapd_wake}};
}

std::vector<Hook> exact_hooks(madvtrace_bpf& skeleton) {
  auto& programs = skeleton.progs;
  const bool parts = bpf_program__autoload(programs.on_rss_stat_parts);
  return {{"kmem:rss_stat", parts ? programs.on_rss_stat_parts : programs.on_rss_stat_count}};
}

Hook moment_hook(madvtrace_bpf& skeleton) { return {"fexit:try_to_unmap_one", skeleton.progs.on_unmap_exit}; }

Hook group_hook(madvtrace_bpf& skeleton) { return {"cgroup:cgroup_attach_task", skeleton.progs.on_cgroup_attach}; }

Result<Link> attach(const Hook& hook, const TraceFs& tracefs) {
  take_first_libbpf_warning();
  if (!bpf_program__autoload(hook.program)) return fail(ExitCode::kUnsupported, "this kernel has no " + hook.name);
  if (hook.name.starts_with(kSyscalls)) return attach_syscall(hook, tracefs);
  Link link(bpf_program__attach(hook.program));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("cannot attach to " + hook.name, errno));
  return link;
}

}  // namespace madvtrace
