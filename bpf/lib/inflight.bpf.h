/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What is remembered of a call between its entry and its exit. Lives in the
 * task's own storage: a thread that is killed inside a call leaves nothing. */
#ifndef MADVTRACE_INFLIGHT_BPF_H
#define MADVTRACE_INFLIGHT_BPF_H

#include "maps.bpf.h"

enum inflight_state {
  INFLIGHT_NONE = 0,
  INFLIGHT_RELEASE = 1, /* its WIRE_RELEASE_BEGIN is written: an end is owed */
  INFLIGHT_PLAIN = 2,   /* a WIRE_CALL is owed */
};

struct range {
  __u64 address;
  __u64 bytes;
};

struct inflight {
  __u64 begin_ns;
  __u64 args[WIRE_SYSCALL_ARGS];
  struct range first;  /* of what is released */
  struct range second; /* mremap only */
  __u64 resident_pages;
  __u32 state;         /* enum inflight_state */
  __u32 syscall;       /* enum wire_syscall */
  __u32 flags;         /* enum wire_call_flag */
  __u32 walk_after;    /* look again at exit even if the call succeeds */
  __u32 write_pages;   /* say which pages are resident, not only how many */
  __u32 note_released; /* and look out for their being touched again */
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct inflight);
} inflights SEC(".maps");

/* The calling thread's slot, made on its first traced call. */
static __always_inline struct inflight* inflight_begin(void) {
  struct inflight* call =
      bpf_task_storage_get(&inflights, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!call) {
    count_loss(WIRE_LOST_INFLIGHT);
    __sync_fetch_and_add(&records_lost, 1);
  }
  return call;
}

static __always_inline struct inflight* inflight_current(void) {
  struct inflight* call = bpf_task_storage_get(&inflights, bpf_get_current_task_btf(), 0, 0);
  return call && call->state != INFLIGHT_NONE ? call : 0;
}

#endif
