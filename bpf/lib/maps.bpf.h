/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The maps that more than one part of the programs uses. */
#ifndef MADVTRACE_MAPS_BPF_H
#define MADVTRACE_MAPS_BPF_H

/* Resized by user space before loading. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 24);
} ring SEC(".maps");

/* tgid -> struct wire_target */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct wire_target);
} targets SEC(".maps");

/* Set by user space when a trace ends: hooks can only be detached one by one, and
 * until the last is gone some kinds of calls would be seen and others not. */
__u32 recording_stopped = 0;

/* Indexed by enum wire_loss. One shared row, not one per CPU: it is written only
 * when something is lost, and every record carries the ring's part of it. */
__u64 losses[WIRE_LOSSES] = {};
__u64 records_lost = 0;

static __always_inline void count_loss(enum wire_loss cause) { __sync_fetch_and_add(&losses[cause], 1); }

#endif
