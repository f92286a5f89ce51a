/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The page walk on demand: run by the collector, on its own time, over another
 * process's address space, without mmap_lock. */
#ifndef MADVTRACE_WALKER_BPF_H
#define MADVTRACE_WALKER_BPF_H

#include "filter.bpf.h"
#include "pagewalk.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WIRE_WALK_JOBS);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct wire_walk_job);
} walk_jobs SEC(".maps");

static long run_walk_job(__u32 index, void* context) {
  struct wire_walk_job* job = bpf_map_lookup_elem(&walk_jobs, &index);
  if (!job) return 1;
  struct wire_walk counted = {};
  __u32 slot = WALK_SLOT_ON_DEMAND;
  struct walk* walk = bpf_map_lookup_elem(&walks, &slot);
  if (!walk) return 1;
  __u32 pid = job->pid;
  struct wire_target* target = bpf_map_lookup_elem(&targets, &pid);
  __u64 mm = target ? target->mm : 0;
  job->gone = 1;
  if (!mm) return 0;
  walk->write_pages = walk->note_released = 0;
  walk->begin_ns = bpf_ktime_get_ns();
  __u64 address = job->addr;
  page_walk((__u64)BPF_CORE_READ((struct mm_struct*)mm, pgd), address, job->bytes, WALK_SLOT_ON_DEMAND, &counted);
  /* The process may have exited or exec'd under the walk: then it means nothing. */
  target = bpf_map_lookup_elem(&targets, &pid);
  if (!target || target->mm != mm) return 0;
  job->walk = counted;
  job->gone = 0;
  if (!(job->flags & WIRE_JOB_PAGES) || !(counted.flags & WIRE_WALK_DONE)) return 0;
  walk->at = address;
  walk->first = (address >> PAGE_SHIFT) & (TABLE_ENTRIES - 1);
  __u32 huge = counted.huge_pages == WIRE_CHUNK_PAGES ? WIRE_PAGES_HUGE : 0;
  write_pages(walk, pid, address + job->bytes, WIRE_PAGES_ON_DEMAND | huge);
  return 0;
}

SEC("syscall")
int run_walk_jobs(struct wire_walk_request* request) {
  bpf_loop(request->jobs, run_walk_job, 0, 0);
  return 0;
}

#endif
