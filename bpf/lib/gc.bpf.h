/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The garbage collections of Go programs: breakpoints on two functions of the runtime,
 * in the processes that are traced and in no other.
 *
 * Only ever on entries. A return probe replaces the return address on the stack, which
 * Go's runtime reads when it copies a stack: the program would crash.
 */
#ifndef MADVTRACE_GC_BPF_H
#define MADVTRACE_GC_BPF_H

#include "emit.bpf.h"
#include "filter.bpf.h"

static __always_inline void write_gc(enum wire_kind kind, __s32 trigger) {
  if (!current_target()) return;
  struct wire_gc* record = reserve(sizeof(*record), WIRE_LOST_GC_RING);
  if (!record) return;
  fill_header(&record->header, sizeof(*record), kind);
  record->cgroup_id = bpf_get_current_cgroup_id();
  record->trigger = trigger;
  record->reserved = 0;
  bpf_get_current_comm(record->comm, sizeof(record->comm));
  submit(record);
}

SEC("uprobe")
int on_gc_start_enter(struct pt_regs* registers) {
  bool has_trigger = bpf_get_attach_cookie(registers) & WIRE_GC_TRIGGER_IN_DI;
  /* The kind is the low byte; the compiler leaves anything above it. */
  write_gc(WIRE_GC_START, has_trigger ? (__s32)(go_fourth_argument(registers) & 0xff) : WIRE_GC_UNKNOWN);
  return 0;
}

SEC("uprobe")
int on_gc_end_enter(struct pt_regs* registers) {
  write_gc(WIRE_GC_END, WIRE_GC_UNKNOWN);
  return 0;
}

#endif
