/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * On whose account the current thread reclaims right now. The begin of a reclaim says it
 * and the end takes it back: between the two the kernel only says that it reclaims
 * (PF_MEMALLOC), not why. kswapd and DAMON are known by their threads.
 */
#ifndef MADVTRACE_RECLAIM_ACCOUNT_BPF_H
#define MADVTRACE_RECLAIM_ACCOUNT_BPF_H

#include "maps.bpf.h"

/* linux/sched.h: the same from 6.1 to 6.18 */
#define PF_MEMALLOC 0x00000800
#define PF_KSWAPD 0x00020000
#define PF_KTHREAD 0x00200000

struct reclaim {
  __u32 under_way;
  enum wire_reclaimer by;
  enum wire_reclaimer sum; /* in which it is counted: by, or WIRE_RECLAIM_SELF */
};

/* In the task's own storage: reclaim does not nest (PF_MEMALLOC keeps it from that). */
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct reclaim);
} reclaims SEC(".maps");

static __always_inline struct reclaim* current_reclaim(__u64 flags) {
  return bpf_task_storage_get(&reclaims, bpf_get_current_task_btf(), 0, flags);
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
  const struct reclaim* reclaim = current_reclaim(0);
  enum wire_reclaimer by = reclaim && reclaim->under_way ? reclaim->by : WIRE_RECLAIM_OTHER;
  if (by == WIRE_RECLAIM_MEMCG) return by;
  if ((__u32)task->tgid == owner_tgid) return WIRE_RECLAIM_SELF;
  if (by == WIRE_RECLAIM_DIRECT) return by;
  return current_is_damon() ? WIRE_RECLAIM_DAMON : WIRE_RECLAIM_OTHER;
}

#endif
