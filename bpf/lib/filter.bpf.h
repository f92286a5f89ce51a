/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Who is traced. Decided here, in the kernel, so that a call is caught from the
 * moment a process becomes a target and costs little where it is not. */
#ifndef MADVTRACE_FILTER_BPF_H
#define MADVTRACE_FILTER_BPF_H

#include "group.bpf.h"
#include "maps.bpf.h"

/* Set by user space when a trace ends: hooks can only be detached one by one, and
 * until the last is gone some kinds of calls would be seen and others not. */
__u32 recording_stopped = 0;

/* Its entry, whether it is left out or not. */
static __always_inline struct wire_target* known_target(__u32 tgid) {
  if (recording_stopped) return 0;
  return bpf_map_lookup_elem(&targets, &tgid);
}

static __always_inline struct wire_target* current_target(void) {
  struct wire_target* target = known_target(bpf_get_current_pid_tgid() >> 32);
  return target && !(target->flags & WIRE_TARGET_LEFT_OUT) ? target : 0;
}

/* The same, and a process of the watched group that is not known yet becomes one. */
static __always_inline struct wire_target* calling_target(void) {
  struct wire_target* target = known_target(bpf_get_current_pid_tgid() >> 32);
  if (!target && group_id && !recording_stopped) {
    target = join_group(bpf_get_current_task_btf(), WIRE_MEMBER_CALLED);
  }
  return target && !(target->flags & WIRE_TARGET_LEFT_OUT) ? target : 0;
}

static __always_inline struct mm_struct* current_mm(void) { return bpf_get_current_task_btf()->mm; }

/* As a number: the verifier calculates with nothing that it knows to be a pointer. */
static __always_inline __u64 address_space(void) { return (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm); }

/* The address space that the on-demand walker may look at for this process. */
static __always_inline void remember_mm(struct wire_target* target, struct mm_struct* mm) {
  if (target->mm != (__u64)mm) target->mm = (__u64)mm;
}

#endif
