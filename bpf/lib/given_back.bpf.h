/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which pages have been given back and not been touched since: one bit a page, in a
 * table of the 2 MiB chunks that have had any. Bounded; what finds no room is counted.
 *
 * A bit is set before the page goes, so that no touch can come before it. It can be
 * wrong: the call may fail, the range be unmapped and mapped anew, the process become
 * another program. User space knows of all that, and sorts it out.
 */
#ifndef MADVTRACE_GIVEN_BACK_BPF_H
#define MADVTRACE_GIVEN_BACK_BPF_H

#include "maps.bpf.h"

/* Set by user space before loading. Without it nothing here is ever run. */
const volatile __u32 record_refaults = 0;

struct released_key {
  __u64 chunk; /* address / 2 MiB */
  __u32 tgid;
  __u32 reserved;
};

struct released_pages {
  __u64 bits[WIRE_CHUNK_WORDS];
};

/* Resized by user space before loading. Allocated beforehand: up to 6.0 a program on a
 * perf event may use no other. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct released_key);
  __type(value, struct released_pages);
} released SEC(".maps");

__u32 released_chunks = 0; /* in that table */

static __always_inline struct released_pages* released_of(struct released_key* key) {
  struct released_pages* pages = bpf_map_lookup_elem(&released, key);
  if (pages) return pages;
  struct released_pages none = {};
  if (!bpf_map_update_elem(&released, key, &none, BPF_NOEXIST)) __sync_fetch_and_add(&released_chunks, 1);
  return bpf_map_lookup_elem(&released, key);
}

/* Of [first, first + pages) of the chunk, those in `resident`; of the current process. */
static __noinline int note_released(__u64 chunk, __u64* resident, __u32 first, __u32 pages) {
  struct released_key key = {.chunk = chunk, .tgid = bpf_get_current_pid_tgid() >> 32};
  if (!resident) return 0;
  struct released_pages* given_back = released_of(&key);
  if (!given_back) {
    count_loss(WIRE_LOST_RELEASED_TABLE);
    __sync_fetch_and_add(&records_lost, 1);
    return 0;
  }
  __u32 end = first + pages;
#pragma clang loop unroll(full)
  for (__u32 word = 0; word < WIRE_CHUNK_WORDS; word++) {
    __u32 low = word * 64, high = low + 64;
    if (end <= low || first >= high) continue;
    __u64 mask = ~0UL;
    if (first > low) mask &= ~0UL << ((first - low) & 63);
    if (end < high) mask &= ~(~0UL << ((end - low) & 63));
    if (resident[word] & mask) __sync_fetch_and_or(&given_back->bits[word], resident[word] & mask);
  }
  return 0;
}

#endif
