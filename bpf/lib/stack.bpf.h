/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * User stacks, each written once. A stack is named by a 64-bit hash of its
 * addresses and its process; its addresses go into the stream before the first
 * record that uses the name. The table of names seen is an LRU: a name that
 * falls out is simply written again.
 */
#ifndef MADVTRACE_STACK_BPF_H
#define MADVTRACE_STACK_BPF_H

#include "emit.bpf.h"
#include "filter.bpf.h"

struct stack_copy {
  struct wire_stack record;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct stack_copy);
} stack_buffer SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u64);
  __type(value, __u8);
} stacks_seen SEC(".maps");

/* MurmurHash3's finaliser, step by step over the addresses: two stacks of one
 * process share a name with a chance of about n^2 / 2^65. */
static __always_inline __u64 mix(__u64 hash, __u64 value) {
  hash ^= value;
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdUL;
  hash ^= hash >> 33;
  return hash;
}

/* The name of the current user stack; 0: there is none to be had. */
static __noinline __u64 user_stack(void* context) {
  __u32 zero = 0;
  struct stack_copy* copy = bpf_map_lookup_elem(&stack_buffer, &zero);
  if (!copy) return 0;
  struct wire_stack* stack = &copy->record;

  long bytes = bpf_get_stack(context, stack->addresses, sizeof(stack->addresses), BPF_F_USER_STACK);
  if (bytes < (long)sizeof(__u64)) {
    count_loss(WIRE_LOST_STACK_UNREAD);
    return 0;
  }
  __u32 depth = (__u64)bytes / sizeof(__u64);
  if (depth > WIRE_STACK_DEPTH) depth = WIRE_STACK_DEPTH;

  /* The address space is part of the name: the same addresses mean something else
   * in another process, and after an exec. */
  __u64 key = mix(mix(0x9e3779b97f4a7c15UL, bpf_get_current_pid_tgid() >> 32), address_space());
  for (__u32 i = 0; i < WIRE_STACK_DEPTH; i++) {
    if (i >= depth) break;
    key = mix(key, stack->addresses[i]);
  }
  if (!key) key = 1;
  if (bpf_map_lookup_elem(&stacks_seen, &key)) return key;

  __u32 size = sizeof(*stack) - sizeof(stack->addresses) + depth * sizeof(__u64);
  fill_header(&stack->header, size, WIRE_STACK);
  stack->stack_key = key;
  stack->depth = depth;
  stack->reserved = 0;
  if (size > sizeof(*stack)) size = sizeof(*stack);
  if (bpf_ringbuf_output(&ring, stack, size, BPF_RB_NO_WAKEUP)) {
    count_loss(WIRE_LOST_STACK_RING);
    __sync_fetch_and_add(&records_lost, 1);
    return key;
  }
  __u8 seen = 1;
  bpf_map_update_elem(&stacks_seen, &key, &seen, BPF_ANY);
  return key;
}

#endif
