/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * On whose account the current thread reclaims right now. The begin of a reclaim says it
 * and the end takes it back: between the two the kernel only says that it reclaims
 * (PF_MEMALLOC), not why. kswapd and DAMON are known by their threads.
 */
#ifndef MADVTRACE_RECLAIMER_BPF_H
#define MADVTRACE_RECLAIMER_BPF_H

#include "maps.bpf.h"

/* linux/sched.h: the same from 6.1 to 6.18 */
#define PF_MEMALLOC 0x00000800
#define PF_KSWAPD 0x00020000
#define PF_KTHREAD 0x00200000

/* In the task's own storage: enum wire_reclaimer + 1; 0: it does not reclaim. */
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u32);
} reclaiming SEC(".maps");

static __always_inline void reclaim_begins(enum wire_reclaimer by) {
  __u32* current = bpf_task_storage_get(&reclaiming, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (current) *current = by + 1;
}

static __always_inline void reclaim_ends(void) {
  if (!record_rss) return; /* nobody has said that it began */
  __u32* current = bpf_task_storage_get(&reclaiming, bpf_get_current_task_btf(), 0, 0);
  if (current) *current = 0;
}

static __always_inline bool current_is_called(const char* name, __u32 bytes) {
  char comm[WIRE_COMM_BYTES] = {};
  bpf_get_current_comm(comm, sizeof(comm));
  return !bpf_strncmp(comm, bytes, name);
}

/* kdamond_fn(): its threads are called kdamond.N. A program can call itself that too, but
 * it is no kernel thread. */
static __always_inline bool current_is_damon(void) {
  return (bpf_get_current_task_btf()->flags & PF_KTHREAD) && current_is_called("kdamond", 7);
}

/* Of a thread that reclaims, as seen by the process whose pages it takes. */
static __always_inline enum wire_reclaimer current_reclaimer(__u32 owner_tgid) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (task->flags & PF_KSWAPD) return WIRE_RECLAIM_KSWAPD;
  __u32* current = bpf_task_storage_get(&reclaiming, task, 0, 0);
  __u32 by = current ? *current : 0;
  if (by == WIRE_RECLAIM_MEMCG + 1) return WIRE_RECLAIM_MEMCG;
  if ((__u32)task->tgid == owner_tgid) return WIRE_RECLAIM_SELF;
  if (by == WIRE_RECLAIM_DIRECT + 1) return WIRE_RECLAIM_DIRECT;
  return current_is_damon() ? WIRE_RECLAIM_DAMON : WIRE_RECLAIM_OTHER;
}

#endif
