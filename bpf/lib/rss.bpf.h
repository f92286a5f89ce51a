/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Every change of a target's RSS, added up by who was running when it happened. One hook,
 * kmem:rss_stat, which runs right after each change, in whatever context made it: it is
 * hit by every process of the machine, and most of its cost is being hit at all.
 *
 * How much has changed the kernel does not say, only what it has counted by now:
 *   before 6.2  one number for each member of mm->rss_stat, passed to the hook. A change
 *               is the difference to what it was at the last hit. (Threads first count
 *               up to 64 faults by themselves; those come when they are added up.)
 *   since 6.2   a percpu_counter for each: a part on each CPU, which is flushed into the
 *               common number when it has grown to a batch, and is 0 right after that.
 *               A change is the difference of this CPU's part, and, if that is 0, of the
 *               common number.
 * Both ways nothing is counted twice or missed; if two CPUs flush at the same moment, one
 * can be given what belongs to the other.
 *
 * Prefer this to the classic tracepoint: that sums up all CPUs for its record.
 */
#ifndef MADVTRACE_RSS_BPF_H
#define MADVTRACE_RSS_BPF_H

#include "emit.bpf.h"
#include "inflight.bpf.h"
#include "reclaim_account.bpf.h"

/* Set by user space before loading. Without it nothing here is ever run. */
const volatile __u32 record_rss = 0;
/* Of the machine, for the parts of the counters. More are refused before loading. */
const volatile __u32 cpus = 0;
/* Where a CPU's part lies from where a __percpu pointer points. There is no symbol for it
 * everywhere (this_cpu_off needs KALLSYMS_ALL): found by find_percpu_offsets. */
__u64 percpu_offsets[WIRE_RSS_CPUS] = {};

struct address_space {
  __u64 last_count[WIRE_RSS_MEMBERS]; /* of the common number, when it was last looked at */
  __u64 parts[WIRE_RSS_MEMBERS];      /* since 6.2: __percpu pointers to the parts */
  __u32 tgid;
  __u32 reserved;
};

/* mm -> struct address_space, of targets */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct address_space);
} address_spaces SEC(".maps");

struct rss_change {
  __u64 gained[WIRE_RSS_MEMBERS];
  __u64 lost[WIRE_RSS_MEMBERS];
};

struct rss_changes {
  __s64 last_part[WIRE_RSS_MEMBERS]; /* of this CPU, when it was last looked at */
  struct rss_change by[WIRE_RSS_CAUSES];
};

/* tgid -> of its address space. A CPU writes its own: threads fault on all of them at once. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct rss_changes);
} rss_changes SEC(".maps");

static const struct rss_changes no_rss_changes = {};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} percpu_anchor SEC(".maps");

static long find_percpu_offset(__u32 cpu, void* context) {
  __u32 zero = 0;
  /* Read, not assigned: with what it knows to be a map the verifier calculates no more. */
  __u64 map = (__u64)&percpu_anchor, anchor = 0, base = 0;
  bpf_probe_read_kernel(&anchor, sizeof(anchor), &map);
  if (bpf_probe_read_kernel(&base, sizeof(base), (void*)(anchor + bpf_core_field_offset(struct bpf_array, pptrs)))) {
    return 1;
  }
  __u64 element = (__u64)bpf_map_lookup_percpu_elem(&percpu_anchor, &zero, cpu), here = 0;
  bpf_probe_read_kernel(&here, sizeof(here), &element);
  if (!here || cpu >= WIRE_RSS_CPUS) return 1;
  percpu_offsets[cpu] = here - base;
  return 0;
}

/* Run once by user space, before anything is counted. */
SEC("?syscall")
int find_percpu_offsets(void* context) {
  bpf_loop(cpus, find_percpu_offset, 0, 0);
  return 0;
}

static __always_inline __s64 part_on(__u64 parts, __u32 cpu) {
  __s32 part = 0;
  if (cpu < WIRE_RSS_CPUS) bpf_probe_read_kernel(&part, sizeof(part), (void*)(parts + percpu_offsets[cpu]));
  return part;
}

static __always_inline __u64 counter_of(__u64 mm, __u32 member) {
  return mm + bpf_core_field_offset(struct mm_struct, rss_stat) + member * bpf_core_type_size(struct percpu_counter);
}

/* Each kernel's reader is a function of its own: clang would otherwise move the
 * relocations of one out of the branch that the other kernel never takes. */
static __noinline __u64 common_count(__u64 mm, __u32 member) {
  __u64 count = 0;
  __u64 at = counter_of(mm, member) + bpf_core_field_offset(struct percpu_counter, count);
  bpf_probe_read_kernel(&count, sizeof(count), (void*)at);
  return count;
}

static __noinline __u64 parts_of(__u64 mm, __u32 member) {
  __u64 parts = 0;
  __u64 at = counter_of(mm, member) + bpf_core_field_offset(struct percpu_counter, counters);
  bpf_probe_read_kernel(&parts, sizeof(parts), (void*)at);
  return parts;
}

static __noinline __u64 count_before_6_2(__u64 mm, __u32 member) {
  __u64 count = 0;
  __u64 at = mm + bpf_core_field_offset(struct mm_struct___before_6_2, rss_stat) + member * sizeof(count);
  bpf_probe_read_kernel(&count, sizeof(count), (void*)at);
  return count;
}

static __always_inline bool is_before_6_2(void) { return bpf_core_type_exists(struct mm_rss_stat); }

static __always_inline struct wire_rss* reserve_rss(enum wire_kind kind, __u32 tgid, __u32 cause) {
  struct wire_rss* record = reserve(sizeof(*record), WIRE_LOST_RSS_RING);
  if (!record) return 0;
  fill_header(&record->header, sizeof(*record), kind);
  record->header.pid = tgid;
  record->header.tid = 0;
  record->cause = cause;
  record->reserved = 0;
  return record;
}

struct rss_begin {
  struct address_space space;
  __s64 pages[WIRE_RSS_MEMBERS];
};

static long begin_on_cpu(__u32 cpu, void* context) {
  struct rss_begin* begin = context;
  __u32 tgid = begin->space.tgid;
  struct rss_changes* changes = bpf_map_lookup_percpu_elem(&rss_changes, &tgid, cpu);
  if (!changes) return 1;
#pragma clang loop unroll(full)
  for (__u32 member = 0; member < WIRE_RSS_MEMBERS; member++) {
    __s64 part = part_on(begin->space.parts[member], cpu);
    changes->last_part[member] = part;
    begin->pages[member] += part;
  }
  return 0;
}

/* What changes between here and the end of this function is counted with the first change
 * after it. */
static __noinline int rss_begins(__u64 mm, __u32 tgid) {
  if (!record_rss || !mm) return 0;
  /* A child between vfork and exec is in its parent's. */
  if (bpf_map_lookup_elem(&address_spaces, &mm)) return 0;
  struct rss_begin begin = {.space = {.tgid = tgid}};
#pragma clang loop unroll(full)
  for (__u32 member = 0; member < WIRE_RSS_MEMBERS; member++) {
    if (is_before_6_2()) {
      begin.space.last_count[member] = count_before_6_2(mm, member);
    } else {
      begin.space.last_count[member] = common_count(mm, member);
      begin.space.parts[member] = parts_of(mm, member);
    }
    begin.pages[member] = begin.space.last_count[member];
  }
  if (bpf_map_update_elem(&rss_changes, &tgid, &no_rss_changes, BPF_ANY)) {
    count_loss(WIRE_LOST_RSS_TABLE);
    return 0;
  }
  if (!is_before_6_2()) bpf_loop(cpus, begin_on_cpu, &begin, 0);
  if (bpf_map_update_elem(&address_spaces, &mm, &begin.space, BPF_ANY)) {
    count_loss(WIRE_LOST_RSS_TABLE);
    return 0;
  }
  struct wire_rss* record = reserve_rss(WIRE_RSS_BEGIN, tgid, 0);
  if (!record) return 0;
#pragma clang loop unroll(full)
  for (__u32 member = 0; member < WIRE_RSS_MEMBERS; member++) {
    record->gained_pages[member] = begin.pages[member] > 0 ? begin.pages[member] : 0;
    record->lost_pages[member] = 0;
  }
  submit(record);
  return 0;
}

struct rss_sum {
  struct rss_change change;
  __u32 tgid;
  __u32 cause;
};

static long add_cpu(__u32 cpu, void* context) {
  struct rss_sum* sum = context;
  __u32 tgid = sum->tgid, cause = sum->cause;
  struct rss_changes* changes = bpf_map_lookup_percpu_elem(&rss_changes, &tgid, cpu);
  if (!changes || cause >= WIRE_RSS_CAUSES) return 1;
#pragma clang loop unroll(full)
  for (__u32 member = 0; member < WIRE_RSS_MEMBERS; member++) {
    sum->change.gained[member] += changes->by[cause].gained[member];
    sum->change.lost[member] += changes->by[cause].lost[member];
  }
  return 0;
}

static long tell_rss_cause(__u32 cause, void* context) {
  struct rss_sum sum = {.tgid = *(__u32*)context, .cause = cause};
  bpf_loop(cpus, add_cpu, &sum, 0);
  __u64 any = 0;
#pragma clang loop unroll(full)
  for (__u32 member = 0; member < WIRE_RSS_MEMBERS; member++) {
    any |= sum.change.gained[member] | sum.change.lost[member];
  }
  if (!any) return 0;
  struct wire_rss* record = reserve_rss(WIRE_RSS_CHANGES, sum.tgid, cause);
  if (!record) return 0;
#pragma clang loop unroll(full)
  for (__u32 member = 0; member < WIRE_RSS_MEMBERS; member++) {
    record->gained_pages[member] = sum.change.gained[member];
    record->lost_pages[member] = sum.change.lost[member];
  }
  submit(record);
  return 0;
}

static __noinline int tell_rss_of(__u32 tgid) {
  bpf_loop(WIRE_RSS_CAUSES, tell_rss_cause, &tgid, 0);
  return 0;
}

SEC("?syscall")
int tell_rss(struct wire_rss_request* request) {
  tell_rss_of(request->pid);
  return 0;
}

/* It ends, leaves, or runs another program. */
static __noinline int rss_ends(__u64 mm, __u32 tgid) {
  if (!record_rss) return 0;
  struct address_space* space = bpf_map_lookup_elem(&address_spaces, &mm);
  if (!space || space->tgid != tgid) return 0;
  bpf_map_delete_elem(&address_spaces, &mm);
  tell_rss_of(tgid);
  bpf_map_delete_elem(&rss_changes, &tgid);
  return 0;
}

/* It reclaims as well: what the process asked for, not what befell it. */
static __always_inline bool is_pageout(const struct inflight* call) {
  return (call->syscall == WIRE_MADVISE && (int)call->args[2] == ADVICE_PAGEOUT) ||
         (call->syscall == WIRE_PROCESS_MADVISE && (int)call->args[3] == ADVICE_PAGEOUT);
}

static __always_inline __u32 rss_cause(__u64 mm, __u32 tgid, __s64 change) {
  struct task_struct* task = bpf_get_current_task_btf();
  __u32 flags = task->flags;
  if ((__u64)BPF_CORE_READ(task, mm) == mm) {
    if (!(flags & PF_MEMALLOC) && change > 0) return WIRE_RSS_FAULT;
    struct inflight* call = inflight_current();
    if ((flags & PF_MEMALLOC) && !(call && is_pageout(call))) return WIRE_RSS_RECLAIM + current_reclaimer(tgid);
    return call ? WIRE_RSS_RELEASE : WIRE_RSS_FAULT;
  }
  if (flags & (PF_KSWAPD | PF_MEMALLOC)) return WIRE_RSS_RECLAIM + current_reclaimer(tgid);
  if (!(flags & PF_KTHREAD)) return WIRE_RSS_OTHER;
  if (current_is_called("khugepaged", 11)) return WIRE_RSS_KHUGEPAGED;
  return current_is_called("oom_reaper", 11) ? WIRE_RSS_OOM_REAPER : WIRE_RSS_OTHER;
}

static __always_inline void add_rss_change(struct rss_changes* changes, __u64 mm, __u32 tgid, __u32 member,
                                           __s64 change) {
  if (!change) return;
  /* It ends, or has begun another program: all that is left goes, and user space knows
   * how much that is. */
  struct task_struct* task = bpf_get_current_task_btf();
  if ((__u32)task->tgid == tgid && (__u64)BPF_CORE_READ(task, mm) != mm) return;
  __u32 cause = rss_cause(mm, tgid, change);
  if (cause >= WIRE_RSS_CAUSES) return;
  if (change > 0) {
    __sync_fetch_and_add(&changes->by[cause].gained[member], change);
  } else {
    __sync_fetch_and_add(&changes->by[cause].lost[member], -change);
  }
}

/* A mask that clang may not drop: 6.1's verifier does not follow a comparison of it. */
static __always_inline __u32 member_of(int which) {
  __u32 member = which;
  asm volatile("" : "+r"(member));
  return member & (WIRE_RSS_MEMBERS - 1);
}

/* A task can be preempted by another of its process in here: what is remembered is
 * exchanged, so that the sum stays right. `count`: of the common number, before 6.2. */
static __always_inline int rss_changed(__u64 mm, __u32 member, bool in_parts, __u64 count) {
  struct address_space* space = bpf_map_lookup_elem(&address_spaces, &mm);
  if (!space || recording_stopped) return 0;
  __u32 tgid = space->tgid;
  struct rss_changes* changes = bpf_map_lookup_elem(&rss_changes, &tgid);
  if (!changes) return 0;
  __s64 change = 0;
  __s64 part = 0;
  if (in_parts) {
    part = part_on(space->parts[member], bpf_get_smp_processor_id());
    change = part - (__s64)__sync_lock_test_and_set(&changes->last_part[member], part);
    if (!part) count = common_count(mm, member);
  }
  if (!part) change += count - __sync_lock_test_and_set(&space->last_count[member], count);
  add_rss_change(changes, mm, tgid, member, change);
  return 0;
}

/* Only one of the two is loaded: the flavour of 6.2 and later, and that before. */
SEC("?tp_btf/rss_stat")
int BPF_PROG(on_rss_stat_parts, struct mm_struct* mm, int member) {
  return rss_changed((__u64)mm, member_of(member), true, 0);
}

SEC("?tp_btf/rss_stat")
int BPF_PROG(on_rss_stat_count, struct mm_struct* mm, int member, long count) {
  return rss_changed((__u64)mm, member_of(member), false, count);
}

#endif
