/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Writing records. What finds no room is counted, by cause, and every record
 * says how many were lost before it. */
#ifndef MADVTRACE_EMIT_BPF_H
#define MADVTRACE_EMIT_BPF_H

#include "maps.bpf.h"

/* The collector is woken when this much waits, and looks by itself on a timer:
 * a wake-up for every record would cost the traced thread more than the record. */
const volatile __u64 wakeup_bytes = 1 << 20;

static __always_inline void* reserve(__u64 bytes, enum wire_loss cause) {
  void* record = bpf_ringbuf_reserve(&ring, bytes, 0);
  if (!record) {
    count_loss(cause);
    __sync_fetch_and_add(&records_lost, 1);
  }
  return record;
}

static __always_inline void fill_header(struct wire_header* header, __u32 bytes, enum wire_kind kind) {
  __u64 pid_tgid = bpf_get_current_pid_tgid();
  header->size = bytes;
  header->kind = kind;
  header->reserved = 0;
  header->mono_ns = bpf_ktime_get_ns();
  header->pid = pid_tgid >> 32;
  header->tid = (__u32)pid_tgid;
  header->lost = records_lost;
}

static __always_inline __u64 wakeup_flag(void) {
  return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* What the collector should know at once. */
static __always_inline void submit_now(void* record) { bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP); }

static __always_inline void submit(void* record) { bpf_ringbuf_submit(record, wakeup_flag()); }

#endif
