/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Whether the kernel reclaims, and how: a count for each kind, of the whole machine.
 * User space looks at the counts and then at the pages; there is no record, since a
 * machine short of memory reclaims thousands of times a second. */
#ifndef MADVTRACE_RECLAIM_BPF_H
#define MADVTRACE_RECLAIM_BPF_H

#include "maps.bpf.h"

__u64 reclaim_runs[WIRE_RECLAIMERS] = {};

static __always_inline void reclaim_ran(enum wire_reclaimer by) { __sync_fetch_and_add(&reclaim_runs[by], 1); }

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(on_memcg_reclaim_end, unsigned long pages) {
  if (pages) reclaim_ran(WIRE_RECLAIM_MEMCG);
  return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(on_direct_reclaim_end, unsigned long pages) {
  if (pages) reclaim_ran(WIRE_RECLAIM_DIRECT);
  return 0;
}

/* kswapd does not say how much it took. It can run for long: both ends count. */
SEC("tp_btf/mm_vmscan_kswapd_wake")
int BPF_PROG(on_kswapd_wake) {
  reclaim_ran(WIRE_RECLAIM_KSWAPD);
  return 0;
}

SEC("tp_btf/mm_vmscan_kswapd_sleep")
int BPF_PROG(on_kswapd_sleep) {
  reclaim_ran(WIRE_RECLAIM_KSWAPD);
  return 0;
}

#endif
