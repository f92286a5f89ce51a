/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The life of a process: fork, exec, exit. These are BTF tracepoints, which have
 * no return value that other tracers could miss. */
#ifndef MADVTRACE_PROCESS_BPF_H
#define MADVTRACE_PROCESS_BPF_H

#include "emit.bpf.h"
#include "filter.bpf.h"
#include "group.bpf.h"

static __always_inline void write_fork(__u32 child_tgid, bool followed) {
  struct wire_fork* record = reserve(sizeof(*record), WIRE_LOST_PROCESS_RING);
  if (!record) return;
  fill_header(&record->header, sizeof(*record), WIRE_FORK);
  record->child_pid = child_tgid;
  record->followed = followed;
  bpf_get_current_comm(record->comm, sizeof(record->comm));
  submit(record);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_process_fork, struct task_struct* parent, struct task_struct* child) {
  __u32 child_tgid = child->tgid;
  if (child->pid != child->tgid) return 0; /* a thread */
  struct wire_target* target = known_target(parent->tgid);
  if (!target) {
    join_group(child, WIRE_MEMBER_FORKED);
    return 0;
  }
  __u32 flags = target->flags & ~WIRE_TARGET_MEMBER;
  bool followed = flags & WIRE_TARGET_FOLLOW;
  if (!followed && group_id && is_in_group(child)) {
    flags |= WIRE_TARGET_MEMBER;
    followed = true;
  }
  if (followed) {
    struct wire_target entry = {.mm = (__u64)child->mm, .flags = flags};
    if (bpf_map_update_elem(&targets, &child_tgid, &entry, BPF_ANY)) {
      count_loss(WIRE_LOST_TARGET_TABLE);
      followed = false;
    }
  }
  if (target->flags & WIRE_TARGET_LEFT_OUT) return 0;
  write_fork(child_tgid, followed);
  if (followed) target_begins((__u64)child->mm, child_tgid);
  return 0;
}

static __always_inline void write_exec(struct task_struct* task) {
  struct wire_exec* record = reserve(sizeof(*record), WIRE_LOST_PROCESS_RING);
  if (!record) return;
  fill_header(&record->header, sizeof(*record), WIRE_EXEC);
  record->cgroup_id = bpf_get_current_cgroup_id();
  fill_program(&record->program, task->mm);
  bpf_get_current_comm(record->comm, sizeof(record->comm));
  submit_now(record); /* it can be looked at anew, and probed, from now on */
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_process_exec, struct task_struct* task) {
  struct wire_target* target = known_target(task->tgid);
  if (!target) {
    join_group(task, WIRE_MEMBER_EXECED);
    return 0;
  }
  __u64 mm_before = target->mm, mm = (__u64)task->mm;
  remember_mm(target, task->mm);
  __sync_fetch_and_add(&target->programs, 1); /* before the flag is looked at: see leave_out() */
  if (target->flags & WIRE_TARGET_LEFT_OUT) {
    __sync_fetch_and_and(&target->flags, ~WIRE_TARGET_LEFT_OUT);
    write_member(WIRE_JOIN, task, WIRE_MEMBER_EXECED);
  } else {
    target_ends(mm_before, task->tgid);
    write_exec(task);
  }
  target_begins(mm, task->tgid);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_process_exit, struct task_struct* task) {
  __u32 tgid = task->tgid;
  struct wire_target* target = known_target(tgid);
  if (!target) return 0;
  if (task->signal->live.counter) return 0; /* threads of it live on */
  bool left_out = target->flags & WIRE_TARGET_LEFT_OUT;
  target_ends(target->mm, tgid);
  /* Two last threads can both see nobody left: whoever deletes it tells. */
  if (bpf_map_delete_elem(&targets, &tgid) || left_out) return 0;
  struct wire_exit* record = reserve(sizeof(*record), WIRE_LOST_PROCESS_RING);
  if (!record) return 0;
  fill_header(&record->header, sizeof(*record), WIRE_EXIT);
  record->cgroup_id = bpf_get_current_cgroup_id();
  record->wait_status = task->signal->group_exit_code ? task->signal->group_exit_code : task->exit_code;
  record->reserved = 0;
  bpf_get_current_comm(record->comm, sizeof(record->comm));
  submit(record);
  return 0;
}

/* Written to cgroup.procs, tasks or cgroup.threads of any group of any hierarchy; the task
 * is there already (cgroup_attach_task()). */
SEC("?tp_btf/cgroup_attach_task")
int BPF_PROG(on_cgroup_attach, struct cgroup* to, const char* path, struct task_struct* task) {
  __u32 tgid = task->tgid;
  struct wire_target* target = known_target(tgid);
  if (!target) {
    join_group(task, WIRE_MEMBER_MOVED);
    return 0;
  }
  if (!(target->flags & WIRE_TARGET_MEMBER) || is_in_group(task)) return 0;
  bool left_out = target->flags & WIRE_TARGET_LEFT_OUT;
  target_ends(target->mm, tgid);
  if (bpf_map_delete_elem(&targets, &tgid) || left_out) return 0;
  write_member(WIRE_LEAVE, task, WIRE_MEMBER_MOVED);
  return 0;
}

/* Asked for by user space, which has looked at the program that the process runs. */
SEC("?syscall")
int leave_out(struct wire_leave_out* request) {
  __u32 tgid = request->pid;
  struct wire_target* target = bpf_map_lookup_elem(&targets, &tgid);
  if (!target || target->programs != request->programs) return 0;
  __sync_fetch_and_or(&target->flags, WIRE_TARGET_LEFT_OUT);
  request->done = 1;
  target_ends(target->mm, tgid);
  /* It has begun another one meanwhile, and its exec may not have seen the flag. */
  if (target->programs == request->programs) return 0;
  __sync_fetch_and_and(&target->flags, ~WIRE_TARGET_LEFT_OUT);
  request->done = 0;
  return 0;
}

/* Run by user space, over all tasks: the address spaces of the processes in the table,
 * and those that belong to the watched group. */
SEC("iter/task")
int find_targets(struct bpf_iter__task* context) {
  struct task_struct* task = context->task;
  if (!task || task->pid != task->tgid) return 0;
  struct wire_target* target = known_target(task->tgid);
  if (!target) {
    join_group(task, WIRE_MEMBER_FOUND);
  } else if (task->mm) {
    remember_mm(target, task->mm);
    target_begins((__u64)task->mm, task->tgid);
  }
  return 0;
}

#endif
