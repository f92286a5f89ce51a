// SPDX-License-Identifier: Apache-2.0
#include "kernel/tiers/base.h"

#include <bpf/libbpf.h>

#include <utility>

#include "bpf/control.h"
#include "madvtrace.skel.h"

namespace madvtrace {

Status BaseTier::configure() {
  auto& programs = skeleton_.progs;
  if (direct_map_) {
    skeleton_.rodata->direct_map_base = direct_map_->base;
    skeleton_.rodata->page_table_levels = direct_map_->levels;
    skeleton_.rodata->huge_zero_frame = direct_map_->huge_zero_frame;
  } else {
    bpf_program__set_autoload(programs.run_walk_jobs, false);
  }
  // A kernel without uprobes would refuse all programs because of these.
  gc_marks_ = gc_marks_ && libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_KPROBE, nullptr) == 1;
  const bool multi = gc_marks_ && Uprobe::kernel_has_multi();
  for (bpf_program* const program : {programs.on_gc_start_enter, programs.on_gc_end_enter}) {
    bpf_program__set_autoload(program, gc_marks_);
    Uprobe::load_for(program, multi);
  }
  return {};
}

Status BaseTier::begin() {
  const auto& programs = skeleton_.progs;
  if (gc_marks_) gc_probes_.emplace(programs.on_gc_start_enter, programs.on_gc_end_enter);
  if (!direct_map_) return {};
  MADV_TAKE(PageWalker walker,
            PageWalker::over(bpf_program__fd(programs.run_walk_jobs), bpf_map__fd(skeleton_.maps.walk_jobs)));
  walker_.emplace(std::move(walker));
  return {};
}

std::vector<Hook> BaseTier::hooks() const {
  const auto& programs = skeleton_.progs;
  std::vector<Hook> hooks{{"syscalls:sys_exit_mmap", programs.on_call_exit},
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
  // They tell when the kernel reclaims, from when to when. A kernel without memory cgroups has no memcg reclaim, one
  // without NUMA no node reclaim: then only the timer makes us look, and that kind of reclaim has no name.
  for (const auto& [name, program] : {std::pair{"vmscan:mm_vmscan_memcg_reclaim_end", programs.on_memcg_reclaim_end},
                                      {"vmscan:mm_vmscan_direct_reclaim_end", programs.on_direct_reclaim_end},
                                      {"vmscan:mm_vmscan_node_reclaim_end", programs.on_node_reclaim_end},
                                      {"vmscan:mm_vmscan_kswapd_sleep", programs.on_kswapd_sleep},
                                      {kReclaimPagesHook, programs.on_reclaim_pages},
                                      {"vmscan:mm_vmscan_memcg_reclaim_begin", programs.on_memcg_reclaim_begin},
                                      {"vmscan:mm_vmscan_direct_reclaim_begin", programs.on_direct_reclaim_begin},
                                      {"vmscan:mm_vmscan_node_reclaim_begin", programs.on_node_reclaim_begin},
                                      {"vmscan:mm_vmscan_kswapd_wake", programs.on_kswapd_wake}}) {
    hooks.push_back({.name = name, .program = program, .optional = true});
  }
  return hooks;
}

}  // namespace madvtrace
