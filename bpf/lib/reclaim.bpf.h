/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How many pages the kernel has reclaimed, and by whose hand: sums for the whole machine.
 * User space looks at the sums and then at the pages; there is no record, since a machine
 * short of memory reclaims thousands of times a second.
 *
 * Each hook may be missing on a kernel; then that kind is not told apart.
 */
#ifndef MADVTRACE_RECLAIM_BPF_H
#define MADVTRACE_RECLAIM_BPF_H

#include "filter.bpf.h"
#include "maps.bpf.h"
#include "reclaimer.bpf.h"

__u64 reclaimed[WIRE_RECLAIMERS] = {};

static __always_inline void add_reclaimed(enum wire_reclaimer by, __u64 pages) {
  __sync_fetch_and_add(&reclaimed[by], pages);
}

/* Reclaim on a process's own time: a target's is told apart. */
static __always_inline void add_own_or(enum wire_reclaimer by, __u64 pages) {
  struct wire_target* target = current_target();
  if (target) __sync_fetch_and_add(&target->reclaimed_pages, pages);
  add_reclaimed(target ? WIRE_RECLAIM_SELF : by, pages);
}

/* The begins are only attached where it is asked who took which page. */
SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(on_memcg_reclaim_begin) {
  reclaim_begins(WIRE_RECLAIM_MEMCG);
  return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(on_direct_reclaim_begin) {
  reclaim_begins(WIRE_RECLAIM_DIRECT);
  return 0;
}

SEC("tp_btf/mm_vmscan_node_reclaim_begin")
int BPF_PROG(on_node_reclaim_begin) {
  reclaim_begins(WIRE_RECLAIM_OTHER);
  return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(on_memcg_reclaim_end, unsigned long pages) {
  reclaim_ends();
  add_reclaimed(WIRE_RECLAIM_MEMCG, pages);
  return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(on_direct_reclaim_end, unsigned long pages) {
  reclaim_ends();
  add_own_or(WIRE_RECLAIM_DIRECT, pages);
  return 0;
}

SEC("tp_btf/mm_vmscan_node_reclaim_end")
int BPF_PROG(on_node_reclaim_end, unsigned long pages) {
  reclaim_ends();
  add_own_or(WIRE_RECLAIM_OTHER, pages);
  return 0;
}

/* reclaim_pages() (6.17+): DAMON's pageout schemes and MADV_PAGEOUT. */
SEC("tp_btf/mm_vmscan_reclaim_pages")
int BPF_PROG(on_reclaim_pages, int nid, unsigned long scanned, unsigned long pages) {
  if (current_is_damon()) {
    add_reclaimed(WIRE_RECLAIM_DAMON, pages);
  } else {
    add_own_or(WIRE_RECLAIM_OTHER, pages);
  }
  return 0;
}

/* kswapd does not say how much it took. It can run for long: both ends count. */
SEC("tp_btf/mm_vmscan_kswapd_wake")
int BPF_PROG(on_kswapd_wake) {
  add_reclaimed(WIRE_RECLAIM_KSWAPD, 1);
  return 0;
}

SEC("tp_btf/mm_vmscan_kswapd_sleep")
int BPF_PROG(on_kswapd_sleep) {
  add_reclaimed(WIRE_RECLAIM_KSWAPD, 1);
  return 0;
}

#endif
