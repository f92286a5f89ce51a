/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From a system call to its records.
 *
 *   entry  releases something -> look at the range, WIRE_RELEASE_BEGIN
 *          otherwise          -> remember it
 *   exit   a release          -> WIRE_RELEASE_END
 *          otherwise          -> WIRE_CALL
 *
 * bpf/madvtrace.bpf.c decides what releases what; here is how it is written.
 */
#ifndef MADVTRACE_CALL_BPF_H
#define MADVTRACE_CALL_BPF_H

#include "emit.bpf.h"
#include "group.bpf.h"
#include "range.bpf.h"
#include "stack.bpf.h"

static __always_inline __u64 page_align(__u64 value) { return (value + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1); }

/* 0 unless the current process is traced; then its slot, filled in. `args`: how many
 * the call has; a program that reads past them may not be attached to it (EACCES). */
static __always_inline struct inflight* call_entered(struct trace_event_raw_sys_enter* context,
                                                     enum wire_syscall syscall, int args) {
  struct wire_target* target = calling_target();
  if (!target) return 0;
  struct mm_struct* mm = current_mm();
  if (!mm) return 0;
  remember_mm(target, mm);
  struct inflight* call = inflight_begin();
  if (!call) return 0;
  call->begin_ns = bpf_ktime_get_ns();
  call->syscall = syscall;
  call->state = INFLIGHT_PLAIN;
  call->flags = 0;
  call->walk_after = 0;
  call->write_pages = (target->flags & WIRE_TARGET_LAZY) || record_refaults;
  call->note_released = 0;
  call->resident_pages = 0;
#pragma clang loop unroll(full)
  for (int i = 0; i < WIRE_SYSCALL_ARGS; i++) call->args[i] = i < args ? context->args[i] : 0;
  call->first.address = call->first.bytes = 0;
  call->second.address = call->second.bytes = 0;
  return call;
}

static __always_inline void fill_call(struct wire_call* record, enum wire_kind kind, struct inflight* call,
                                      __u64 stack_key, __s64 ret) {
  fill_header(&record->header, sizeof(*record), kind);
  record->begin_ns = call->begin_ns;
  record->stack_key = stack_key;
  record->cgroup_id = bpf_get_current_cgroup_id();
  for (int i = 0; i < WIRE_SYSCALL_ARGS; i++) record->args[i] = call->args[i];
  record->ret = ret;
  record->range_addr = call->first.address;
  record->range_bytes = call->first.bytes;
  record->syscall = call->syscall;
  record->flags = call->flags;
  record->reserved = 0;
  bpf_get_current_comm(record->comm, sizeof(record->comm));
}

static __always_inline void write_range(struct inflight* call, struct range* range) {
  struct wire_walk walk = {};
  look_at_range(range, call, &walk);
  call->resident_pages += walk.resident_pages;
  struct wire_range* record = reserve(sizeof(*record), WIRE_LOST_RANGE_RING);
  if (!record) return;
  fill_header(&record->header, sizeof(*record), WIRE_RELEASE_RANGE);
  record->begin_ns = call->begin_ns;
  record->range_addr = range->address;
  record->range_bytes = range->bytes;
  record->walk = walk;
  submit(record);
}

/* From here on its releases come with their pages, so that each lazily freed page
 * can be followed. Kept for the life of the process: an exec starts without, but to
 * be told apart that would need one more look at every call. */
static __always_inline void uses_madv_free(struct inflight* call) {
  if (call->write_pages) return;
  struct wire_target* target = current_target();
  if (target) __sync_fetch_and_or(&target->flags, WIRE_TARGET_LAZY);
  call->write_pages = 1;
}

/* The pages are counted while the record is already reserved: its place in the
 * ring is the moment the release began, before any other thread can see the hole. */
static __noinline int release_begins(void* context, struct inflight* call) {
  if (!call) return 0;
  __u64 stack_key = user_stack(context);
  struct wire_call* record = reserve(sizeof(*record), WIRE_LOST_CALL_RING);
  if (!record) {
    call->state = INFLIGHT_NONE;
    return 0;
  }
  struct wire_walk walk = {};
  look_at_range(&call->first, call, &walk);
  call->resident_pages = walk.resident_pages;
  call->state = INFLIGHT_RELEASE;
  fill_call(record, WIRE_RELEASE_BEGIN, call, stack_key, 0);
  record->walk = walk;
  submit(record);
  if (call->second.bytes) write_range(call, &call->second);
  return 0;
}

static __always_inline int call_failed(struct inflight* call, long ret) {
  return call->syscall == WIRE_BRK ? brk_failed(call->args[0], ret) : answer_is_errno(ret);
}

struct iovec {
  __u64 base;
  __u64 length;
};

static __always_inline int read_iovec(struct inflight* call, __u32 index, struct range* out) {
  struct iovec iov;
  if (bpf_probe_read_user(&iov, sizeof(iov), (void*)(call->args[1] + index * sizeof(iov)))) return -1;
  out->address = iov.base;
  out->bytes = page_align(iov.length);
  return 0;
}

struct iovec_walk {
  struct wire_walk walk;
  struct range range;
};

static long look_at_iovec(__u32 index, void* context) {
  struct iovec_walk* state = context;
  struct inflight* call = inflight_current();
  if (!call || read_iovec(call, index, &state->range)) return 1;
  look_at_range(&state->range, 0, &state->walk);
  return 0;
}

static __always_inline void look_after(struct inflight* call, struct wire_walk* out) {
  if (call->syscall == WIRE_PROCESS_MADVISE) {
    struct iovec_walk state = {};
    bpf_loop((__u32)call->args[2], look_at_iovec, &state, 0);
    *out = state.walk;
    return;
  }
  look_at_range(&call->first, 0, out);
  if (call->second.bytes) look_at_range(&call->second, 0, out);
}

static __noinline int release_ended(struct inflight* call, long ret) {
  if (!call) return 0;
  struct wire_walk after = {};
  if (call->walk_after || (call_failed(call, ret) && call->resident_pages)) look_after(call, &after);
  struct wire_end* record = reserve(sizeof(*record), WIRE_LOST_END_RING);
  if (!record) return 0;
  fill_header(&record->header, sizeof(*record), WIRE_RELEASE_END);
  record->begin_ns = call->begin_ns;
  record->ret = ret;
  record->after = after;
  submit(record);
  return 0;
}

static __noinline int plain_call_ended(void* context, struct inflight* call, long ret) {
  if (!call) return 0;
  struct wire_walk walk = {};
  if (call->walk_after && !call_failed(call, ret)) {
    if (call->syscall == WIRE_MMAP) {
      call->first.address = ret;
      call->first.bytes = page_align(call->args[1]);
    }
    look_at_range(&call->first, 0, &walk);
  }
  __u64 stack_key = user_stack(context);
  struct wire_call* record = reserve(sizeof(*record), WIRE_LOST_CALL_RING);
  if (!record) return 0;
  fill_call(record, WIRE_CALL, call, stack_key, ret);
  record->walk = walk;
  submit(record);
  return 0;
}

static __always_inline void call_returned(struct trace_event_raw_sys_exit* context) {
  struct inflight* call = inflight_current();
  if (!call) return;
  if (call->state == INFLIGHT_RELEASE) {
    release_ended(call, context->ret);
  } else {
    plain_call_ended(context, call, context->ret);
  }
  call->state = INFLIGHT_NONE;
}

#endif
