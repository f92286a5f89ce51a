/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Who is traced. Decided here, in the kernel, so that a call is caught from the
 * moment a process becomes a target and costs little where it is not. */
#ifndef MADVTRACE_FILTER_BPF_H
#define MADVTRACE_FILTER_BPF_H

#include "maps.bpf.h"

/* Its entry, whether it is left out or not. */
static __always_inline struct wire_target* known_target(__u32 tgid) {
  if (recording_stopped) return 0;
  return bpf_map_lookup_elem(&targets, &tgid);
}

static __always_inline struct wire_target* unless_left_out(struct wire_target* target) {
  return target && !(target->flags & WIRE_TARGET_LEFT_OUT) ? target : 0;
}

static __always_inline struct wire_target* current_target(void) {
  return unless_left_out(known_target(bpf_get_current_pid_tgid() >> 32));
}

static __always_inline struct mm_struct* current_mm(void) { return bpf_get_current_task_btf()->mm; }

/* As a number: the verifier calculates with nothing that it knows to be a pointer. */
static __always_inline __u64 address_space(void) { return (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm); }

/* The address space that the on-demand walker may look at for this process. */
static __always_inline void remember_mm(struct wire_target* target, struct mm_struct* mm) {
  if (target->mm != (__u64)mm) target->mm = (__u64)mm;
}

/* A target is in this address space from here on; and it is there no longer, since it ends, runs another program or is
 * a target no more. lib/tiers.bpf.h passes both on: whoever finds targets knows no tier. */
static __always_inline void target_begins(__u64 mm, __u32 tgid);
static __always_inline void target_ends(__u64 mm, __u32 tgid);

#endif
