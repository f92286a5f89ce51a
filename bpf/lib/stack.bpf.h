/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * User stacks, each written once. A stack is named by a 64-bit hash of its
 * addresses and its process; its addresses go into the stream before the first
 * record that uses the name. The table of names seen is an LRU: a name that
 * falls out is simply written again.
 *
 * Frame pointers are followed here, as perf_callchain_user() (arch/x86) does it, with one
 * difference: the outermost frame's pointer is 0, and is not followed. There every stack
 * ends in a page fault, which took longer than all of its frames together: 6.2 of the
 * 9.5 % of a program's time that a busy scavenger's hooks took.
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

struct frame_walk {
  struct wire_stack* stack;
  __u64 frame; /* the next one's address */
  __u32 depth;
};

struct user_frame {
  __u64 caller;
  __u64 return_address;
};

static long add_frame(__u32 index, struct frame_walk* walk) {
  struct user_frame frame;
  if (walk->frame < sizeof(frame)) return 1;
  if (bpf_probe_read_user(&frame, sizeof(frame), (void*)walk->frame)) return 1;
  __u32 depth = index + 1;
  if (depth >= WIRE_STACK_DEPTH) return 1;
  walk->stack->addresses[depth] = frame.return_address;
  walk->frame = frame.caller;
  walk->depth = depth + 1;
  return 0;
}

/* How many addresses of the current user stack it has put into `stack`. */
static __always_inline __u32 read_stack(void* context, struct wire_stack* stack) {
  struct pt_regs* registers = (struct pt_regs*)bpf_task_pt_regs(bpf_get_current_task_btf());
  if (runs_32_bit_code(registers)) { /* other frames */
    long bytes = bpf_get_stack(context, stack->addresses, sizeof(stack->addresses), BPF_F_USER_STACK);
    return bytes < 0 ? 0 : (__u64)bytes / sizeof(__u64);
  }
  struct frame_walk walk = {.stack = stack, .frame = frame_pointer(registers), .depth = 1};
  stack->addresses[0] = instruction_pointer(registers);
  bpf_loop(WIRE_STACK_DEPTH - 1, add_frame, &walk, 0);
  return walk.depth;
}

/* The name of the current user stack; 0: there is none to be had. */
static __noinline __u64 user_stack(void* context) {
  __u32 zero = 0;
  struct stack_copy* copy = bpf_map_lookup_elem(&stack_buffer, &zero);
  if (!copy) return 0;
  struct wire_stack* stack = &copy->record;

  __u32 depth = read_stack(context, stack);
  if (!depth) {
    count_loss(WIRE_LOST_STACK_UNREAD);
    return 0;
  }
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
