/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How many pages the kernel has reclaimed, by whose hand, and whether it does so right now:
 * sums for the whole machine. User space looks at the sums and then at the pages; there is
 * no record, since a machine short of memory reclaims thousands of times a second.
 *
 * Each hook may be missing on a kernel; then that kind is not told apart.
 */
#ifndef MADVTRACE_RECLAIM_SUMS_BPF_H
#define MADVTRACE_RECLAIM_SUMS_BPF_H

#include "filter.bpf.h"
#include "maps.bpf.h"
#include "reclaim_account.bpf.h"

struct wire_reclaim_sum reclaimed[WIRE_RECLAIMERS] = {};

/* Of the current process, if what it reclaims counts as its own doing. */
static __always_inline struct wire_reclaim_sum* own_sum(enum wire_reclaimer sum) {
  struct wire_target* target = sum == WIRE_RECLAIM_SELF ? current_target() : 0;
  return target ? &target->reclaims : 0;
}

/* A limit's reclaim and kswapd are nobody's own. */
static __always_inline enum wire_reclaimer sum_of(enum wire_reclaimer by) {
  bool on_its_own_time = by == WIRE_RECLAIM_DIRECT || by == WIRE_RECLAIM_OTHER;
  return on_its_own_time && current_target() ? WIRE_RECLAIM_SELF : by;
}

/* No index out of a map is within bounds for the verifier. */
static __always_inline struct wire_reclaim_sum* sum_for_all(enum wire_reclaimer sum) {
  return &reclaimed[sum < WIRE_RECLAIMERS ? sum : WIRE_RECLAIM_OTHER];
}

static __always_inline void count_pages(enum wire_reclaimer sum, __u64 pages) {
  struct wire_reclaim_sum* own = own_sum(sum);
  if (own) __sync_fetch_and_add(&own->pages, pages);
  __sync_fetch_and_add(&sum_for_all(sum)->pages, pages);
}

static __always_inline void count_begin(enum wire_reclaimer sum) {
  struct wire_reclaim_sum* own = own_sum(sum);
  struct wire_reclaim_sum* all = sum_for_all(sum);
  all->begun_ns = bpf_ktime_get_ns();
  __sync_fetch_and_add(&all->begun, 1);
  if (!own) return;
  own->begun_ns = all->begun_ns;
  __sync_fetch_and_add(&own->begun, 1);
}

static __always_inline void count_end(enum wire_reclaimer sum) {
  struct wire_reclaim_sum* own = own_sum(sum);
  if (own) __sync_fetch_and_add(&own->ended, 1);
  __sync_fetch_and_add(&sum_for_all(sum)->ended, 1);
}

/* One for which there is no storage is known by its pages, at its end. */
static __always_inline int begins(enum wire_reclaimer by) {
  struct reclaim* reclaim = current_reclaim(BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!reclaim) return 0;
  /* kswapd can wake twice without a sleep; of the others an end was missed. */
  if (reclaim->under_way) count_end(reclaim->sum);
  reclaim->by = by;
  reclaim->sum = sum_of(by);
  reclaim->under_way = 1;
  count_begin(reclaim->sum);
  return 0;
}

/* The pages first: whoever sees the end sees them. */
static __always_inline int ends(enum wire_reclaimer by, __u64 pages) {
  struct reclaim* reclaim = current_reclaim(0);
  bool begun = reclaim && reclaim->under_way;
  enum wire_reclaimer sum = begun ? reclaim->sum : sum_of(by);
  count_pages(sum, pages);
  if (begun) {
    reclaim->under_way = 0;
    count_end(sum);
  }
  return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(on_memcg_reclaim_begin) { return begins(WIRE_RECLAIM_MEMCG); }

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(on_direct_reclaim_begin) { return begins(WIRE_RECLAIM_DIRECT); }

SEC("tp_btf/mm_vmscan_node_reclaim_begin")
int BPF_PROG(on_node_reclaim_begin) { return begins(WIRE_RECLAIM_OTHER); }

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(on_memcg_reclaim_end, unsigned long pages) { return ends(WIRE_RECLAIM_MEMCG, pages); }

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(on_direct_reclaim_end, unsigned long pages) { return ends(WIRE_RECLAIM_DIRECT, pages); }

SEC("tp_btf/mm_vmscan_node_reclaim_end")
int BPF_PROG(on_node_reclaim_end, unsigned long pages) { return ends(WIRE_RECLAIM_OTHER, pages); }

/* kswapd does not say how much it took. */
SEC("tp_btf/mm_vmscan_kswapd_wake")
int BPF_PROG(on_kswapd_wake) { return begins(WIRE_RECLAIM_KSWAPD); }

/* It may have been awake before its wake was hooked: then its sleep is all that tells of it. */
SEC("tp_btf/mm_vmscan_kswapd_sleep")
int BPF_PROG(on_kswapd_sleep) {
  begins(WIRE_RECLAIM_KSWAPD);
  return ends(WIRE_RECLAIM_KSWAPD, 0);
}

/* reclaim_pages() (6.17+): DAMON's pageout schemes and MADV_PAGEOUT. No begin. */
SEC("tp_btf/mm_vmscan_reclaim_pages")
int BPF_PROG(on_reclaim_pages, int nid, unsigned long scanned, unsigned long pages) {
  count_pages(current_is_damon() ? WIRE_RECLAIM_DAMON : sum_of(WIRE_RECLAIM_OTHER), pages);
  return 0;
}

#endif
