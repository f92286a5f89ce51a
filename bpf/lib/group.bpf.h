/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which processes belong to the watched cgroup or to a group below it, and making
 * targets of them. The kernel side decides: user space only says which group.
 *
 * A process becomes a target with the first of: the list of all tasks when the trace
 * begins, its fork, its exec, a call of its own, its being moved into the group. It stops
 * being one when it is moved out.
 */
#ifndef MADVTRACE_GROUP_BPF_H
#define MADVTRACE_GROUP_BPF_H

#include "emit.bpf.h"
#include "filter.bpf.h"
#include "maps.bpf.h"

/* Set by user space, group_id last. */
__u64 group_id = 0;                  /* the kernfs id, which is the inode number; 0: there is no group */
__s32 group_subsys = -1;             /* enum cgroup_subsys_id: of its v1 hierarchy; -1: the unified one */
__s32 group_level = -1;              /* below the hierarchy's root; the first member that is met says it */
const volatile __u32 tracer_pid = 0; /* never traced: each of its looks would make more to see */

static __always_inline __u64 ancestor_id(struct cgroup* cgroup, int level) {
  __u64 base = (__u64)cgroup;
  if (bpf_core_field_exists(struct cgroup, ancestors)) {
    struct cgroup* ancestor = 0;
    bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
                          (void*)(base + bpf_core_field_offset(struct cgroup, ancestors) + level * sizeof(ancestor)));
    return BPF_CORE_READ(ancestor, kn, id);
  }
  __u64 id = 0;
  bpf_probe_read_kernel(
      &id, sizeof(id),
      (void*)(base + bpf_core_field_offset(struct cgroup___before_6_1, ancestor_ids) + level * sizeof(id)));
  return id;
}

/* Its process does, that is. */
static __noinline bool is_in_group(struct task_struct* task) {
  if (!task) return false;
  struct css_set* set = BPF_CORE_READ(task, group_leader, cgroups);
  struct cgroup* cgroup = 0;
  if (group_subsys < 0) {
    cgroup = BPF_CORE_READ(set, dfl_cgrp);
  } else {
    struct cgroup_subsys_state* state = 0;
    bpf_probe_read_kernel(
        &state, sizeof(state),
        (void*)((__u64)set + bpf_core_field_offset(struct css_set, subsys) + group_subsys * sizeof(state)));
    cgroup = BPF_CORE_READ(state, cgroup);
  }
  int own_level = BPF_CORE_READ(cgroup, level);
  if (group_level >= 0) return group_level <= own_level && ancestor_id(cgroup, group_level) == group_id;
  for (int level = 0; level < WIRE_GROUP_LEVELS; level++) {
    if (level > own_level) break;
    if (ancestor_id(cgroup, level) != group_id) continue;
    group_level = level;
    return true;
  }
  return false;
}

static __always_inline void fill_program(struct wire_program* program, struct mm_struct* mm) {
  struct inode* inode = BPF_CORE_READ(mm, exe_file, f_inode);
  program->inode = BPF_CORE_READ(inode, i_ino);
  program->device = BPF_CORE_READ(inode, i_sb, s_dev);
  program->reserved = 0;
}

static __always_inline void write_member(enum wire_kind kind, struct task_struct* task, enum wire_member_why why) {
  struct wire_member* record = reserve(sizeof(*record), WIRE_LOST_PROCESS_RING);
  if (!record) return;
  fill_header(&record->header, sizeof(*record), kind);
  record->header.pid = BPF_CORE_READ(task, tgid);
  record->header.tid = 0;
  record->cgroup_id = BPF_CORE_READ(task, group_leader, cgroups, dfl_cgrp, kn, id);
  fill_program(&record->program, BPF_CORE_READ(task, mm));
  record->why = why;
  record->reserved = 0;
  bpf_core_read(record->comm, sizeof(record->comm), &task->comm);
  submit_now(record); /* before it ends, it has to be looked at */
}

/* 0 if it does not belong to the group; else it is a target from here on. */
static __noinline struct wire_target* join_group(struct task_struct* task, enum wire_member_why why) {
  if (!task || !group_id || recording_stopped) return 0;
  __u32 tgid = BPF_CORE_READ(task, tgid);
  struct wire_target entry = {.mm = (__u64)BPF_CORE_READ(task, mm), .flags = WIRE_TARGET_MEMBER};
  if (!entry.mm || tgid == tracer_pid || !is_in_group(task)) return 0;
  /* Another thread of it may have been faster, and has told. */
  long error = bpf_map_update_elem(&targets, &tgid, &entry, BPF_NOEXIST);
  if (!error) {
    write_member(WIRE_JOIN, task, why);
    target_begins(entry.mm, tgid);
  }
  struct wire_target* target = bpf_map_lookup_elem(&targets, &tgid);
  if (error && !target) count_loss(WIRE_LOST_TARGET_TABLE);
  return target;
}

/* As current_target(), and a process of the watched group that is not known yet becomes one. */
static __always_inline struct wire_target* calling_target(void) {
  struct wire_target* target = known_target(bpf_get_current_pid_tgid() >> 32);
  if (!target && group_id) target = join_group(bpf_get_current_task_btf(), WIRE_MEMBER_CALLED);
  return unless_left_out(target);
}

#endif
