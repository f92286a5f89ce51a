/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The life of a process: fork, exec, exit. These are BTF tracepoints, which have
 * no return value that other tracers could miss. */
#ifndef MADVTRACE_PROCESS_BPF_H
#define MADVTRACE_PROCESS_BPF_H

#include "emit.bpf.h"
#include "filter.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_process_fork, struct task_struct* parent, struct task_struct* child) {
  __u32 child_tgid = child->tgid;
  if (child->pid != child->tgid) return 0; /* a thread */
  struct wire_target* target = current_target();
  if (!target) return 0;

  __u32 followed = 0;
  if (target->flags & WIRE_TARGET_FOLLOW) {
    struct wire_target entry = {.mm = (__u64)child->mm, .flags = target->flags};
    if (bpf_map_update_elem(&targets, &child_tgid, &entry, BPF_ANY)) {
      count_loss(WIRE_LOST_TARGET_TABLE);
    } else {
      followed = 1;
    }
  }
  struct wire_fork* record = reserve(sizeof(*record), WIRE_LOST_PROCESS_RING);
  if (!record) return 0;
  fill_header(&record->header, sizeof(*record), WIRE_FORK);
  record->child_pid = child_tgid;
  record->followed = followed;
  bpf_get_current_comm(record->comm, sizeof(record->comm));
  submit(record);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_process_exec, struct task_struct* task) {
  struct wire_target* target = current_target();
  if (!target) return 0;
  remember_mm(target, task->mm);
  struct wire_exec* record = reserve(sizeof(*record), WIRE_LOST_PROCESS_RING);
  if (!record) return 0;
  fill_header(&record->header, sizeof(*record), WIRE_EXEC);
  record->cgroup_id = bpf_get_current_cgroup_id();
  bpf_get_current_comm(record->comm, sizeof(record->comm));
  submit_now(record); /* it can be looked at anew, and probed, from now on */
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_process_exit, struct task_struct* task) {
  __u32 tgid = task->tgid;
  if (!current_target()) return 0;
  if (task->signal->live.counter) return 0; /* threads of it live on */
  /* Two last threads can both see nobody left: whoever deletes it tells. */
  if (bpf_map_delete_elem(&targets, &tgid)) return 0;
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

/* Run once by user space: the address spaces of the processes in the table. */
SEC("iter/task")
int find_target_mm(struct bpf_iter__task* context) {
  struct task_struct* task = context->task;
  if (!task || task->pid != task->tgid) return 0;
  __u32 tgid = task->tgid;
  struct wire_target* target = bpf_map_lookup_elem(&targets, &tgid);
  if (target && task->mm) remember_mm(target, task->mm);
  return 0;
}

#endif
