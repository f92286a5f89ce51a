/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The hooks on system calls, and what all programs are made of. A hook says what a call releases and leaves the
 * rest to lib/.
 *
 * Programs on syscall tracepoints return 1, always: a 0 would hide the call from
 * every perf session on the same tracepoint, system-wide (trace_call_bpf()).
 */
#include "kernel_types.h"
/* after the types: */
#include <bpf/bpf_helpers.h>
/* bpf_helpers.h first */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "calls.h"
#include "control.h"
/* after the contract */
#include "arch/x86.bpf.h"
#include "lib/call.bpf.h"
#include "lib/gc.bpf.h"
#include "lib/process.bpf.h"
#include "lib/reclaim_sums.bpf.h"
#include "lib/tiers.bpf.h"
#include "lib/walker.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Records that are only ever written into the ring would be missing from the object's
 * BTF, against which a test compares the C++ view of them. */
const struct wire_call* anchor_wire_call __attribute__((unused));
const struct wire_range* anchor_wire_range __attribute__((unused));
const struct wire_end* anchor_wire_end __attribute__((unused));
const struct wire_fork* anchor_wire_fork __attribute__((unused));
const struct wire_exec* anchor_wire_exec __attribute__((unused));
const struct wire_exit* anchor_wire_exit __attribute__((unused));
const struct wire_pages* anchor_wire_pages __attribute__((unused));
const struct wire_gc* anchor_wire_gc __attribute__((unused));
const struct wire_member* anchor_wire_member __attribute__((unused));
const struct wire_refault* anchor_wire_refault __attribute__((unused));
const struct wire_reclaimed* anchor_wire_reclaimed __attribute__((unused));
const struct wire_rss* anchor_wire_rss __attribute__((unused));

/* uapi/asm-generic/mman-common.h, uapi/linux/mman.h */
#define MAP_FIXED 0x10
#define MAP_LOCKED 0x2000
#define MAP_POPULATE 0x8000
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define VM_LOCKED 0x2000 /* linux/mm.h; in mm->def_flags after mlockall(MCL_FUTURE) */
#define UIO_MAXIOV 1024
/* uapi/linux/pidfd.h, 6.14+ */
#define PIDFD_SELF_THREAD (-10000)
#define PIDFD_SELF_THREAD_GROUP (-10001)

/* What an advice does to residency once it succeeds. */
enum effect {
  EFFECT_NONE,     /* nothing */
  EFFECT_CERTAIN,  /* takes every page away, or (MADV_FREE) none for now */
  EFFECT_MEASURED, /* some pages, either way: look again when it returns */
};

static __always_inline enum effect effect_of(__u64 advice) {
  switch ((int)advice) {
    case ADVICE_DONTNEED:
    case ADVICE_DONTNEED_LOCKED:
    case ADVICE_FREE:
    case ADVICE_REMOVE:
    case ADVICE_GUARD_INSTALL:
      return EFFECT_CERTAIN;
    case ADVICE_PAGEOUT:
    case ADVICE_POPULATE_READ:
    case ADVICE_POPULATE_WRITE:
    case ADVICE_COLLAPSE:
      return EFFECT_MEASURED;
    default:
      return EFFECT_NONE;
  }
}

static __always_inline bool locks_new_mappings(void) { return BPF_CORE_READ(current_mm(), def_flags) & VM_LOCKED; }

SEC("tp/syscalls/sys_enter_mmap")
int on_mmap_enter(struct trace_event_raw_sys_enter* context) {
  struct inflight* call = call_entered(context, WIRE_MMAP, 6);
  if (!call) return 1;
  call->walk_after = (call->args[3] & (MAP_POPULATE | MAP_LOCKED)) || locks_new_mappings();
  if (!(call->args[3] & MAP_FIXED)) return 1;
  call->first.address = call->args[0];
  call->first.bytes = page_align(call->args[1]);
  release_begins(context, call);
  return 1;
}

SEC("tp/syscalls/sys_enter_munmap")
int on_munmap_enter(struct trace_event_raw_sys_enter* context) {
  struct inflight* call = call_entered(context, WIRE_MUNMAP, 2);
  if (!call) return 1;
  call->first.address = call->args[0];
  call->first.bytes = page_align(call->args[1]);
  release_begins(context, call);
  return 1;
}

SEC("tp/syscalls/sys_enter_madvise")
int on_madvise_enter(struct trace_event_raw_sys_enter* context) {
  struct inflight* call = call_entered(context, WIRE_MADVISE, 3);
  if (!call) return 1;
  enum effect effect = effect_of(call->args[2]);
  if (effect == EFFECT_NONE) return 1;
  call->walk_after = effect == EFFECT_MEASURED;
  call->note_released = advice_can_come_back((int)call->args[2]);
  if (call->args[2] == ADVICE_FREE) uses_madv_free(call);
  call->first.address = call->args[0];
  call->first.bytes = page_align(call->args[1]);
  release_begins(context, call);
  return 1;
}

/* Whether a pidfd names the caller's own process. Its struct pid stands in
 * file->private_data up to 6.8 and in the inode since pidfs (6.9): it is enough
 * that one of the two is ours. */
static __always_inline bool pidfd_is_own(int fd) {
  if (fd == PIDFD_SELF_THREAD || fd == PIDFD_SELF_THREAD_GROUP) return true;
  struct task_struct* task = bpf_get_current_task_btf();
  __u64 own = (__u64)BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
  struct fdtable* table = BPF_CORE_READ(task, files, fdt);
  if (fd < 0 || (unsigned int)fd >= BPF_CORE_READ(table, max_fds)) return false;
  struct file** files = BPF_CORE_READ(table, fd);
  struct file* file = 0;
  bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
  if (!file || !own) return false;
  return (__u64)BPF_CORE_READ(file, private_data) == own || (__u64)BPF_CORE_READ(file, f_inode, i_private) == own;
}

static long begin_iovec(__u32 index, void* context) {
  struct inflight* call = inflight_current();
  struct range range;
  if (!call || read_iovec(call, index + 1, &range)) return 1;
  write_range(call, &range);
  return 0;
}

SEC("tp/syscalls/sys_enter_process_madvise")
int on_process_madvise_enter(struct trace_event_raw_sys_enter* context) {
  struct inflight* call = call_entered(context, WIRE_PROCESS_MADVISE, 5);
  if (!call) return 1;
  if (!pidfd_is_own((int)call->args[0])) {
    call->flags |= WIRE_CALL_REMOTE;
    return 1;
  }
  enum effect effect = effect_of(call->args[3]);
  __u64 ranges = call->args[2];
  if (effect == EFFECT_NONE || !ranges || ranges > UIO_MAXIOV) return 1;
  /* Not even the first range can be read: the call will fail with EFAULT. */
  if (read_iovec(call, 0, &call->first)) return 1;
  /* It can succeed in part: its answer, the bytes it got through, does not say
   * which pages those were. */
  call->walk_after = (int)call->args[3] != ADVICE_FREE;
  call->note_released = advice_can_come_back((int)call->args[3]);
  if (call->args[3] == ADVICE_FREE) uses_madv_free(call);
  release_begins(context, call);
  if (call->state == INFLIGHT_RELEASE) bpf_loop((__u32)ranges - 1, begin_iovec, 0, 0);
  return 1;
}

SEC("tp/syscalls/sys_enter_mremap")
int on_mremap_enter(struct trace_event_raw_sys_enter* context) {
  struct inflight* call = call_entered(context, WIRE_MREMAP, 5);
  if (!call) return 1;
  __u64 old_bytes = page_align(call->args[1]);
  __u64 new_bytes = page_align(call->args[2]);
  if (new_bytes < old_bytes) { /* the tail goes */
    call->first.address = call->args[0] + new_bytes;
    call->first.bytes = old_bytes - new_bytes;
  }
  if (call->args[3] & MREMAP_FIXED) { /* whatever lies at the destination goes */
    struct range* range = call->first.bytes ? &call->second : &call->first;
    range->address = call->args[4];
    range->bytes = new_bytes;
  }
  /* A move leaves a hole at the old place, even if it releases nothing. */
  if (call->first.bytes || (call->args[3] & MREMAP_MAYMOVE)) release_begins(context, call);
  return 1;
}

SEC("tp/syscalls/sys_enter_brk")
int on_brk_enter(struct trace_event_raw_sys_enter* context) {
  struct inflight* call = call_entered(context, WIRE_BRK, 1);
  if (!call) return 1;
  struct mm_struct* mm = current_mm();
  __u64 from = page_align(call->args[0]);
  __u64 to = page_align(BPF_CORE_READ(mm, brk));
  if (call->args[0] < BPF_CORE_READ(mm, start_brk) || from >= to) return 1;
  call->first.address = from;
  call->first.bytes = to - from;
  release_begins(context, call);
  return 1;
}

/* One program on the exits of all six calls: what returns is in the thread's slot. */
SEC("tp/syscalls/sys_exit_madvise")
int on_call_exit(struct trace_event_raw_sys_exit* context) {
  call_returned(context);
  return 1;
}
