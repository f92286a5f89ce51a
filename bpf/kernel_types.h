/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The few kernel types that the BPF programs look into, as minimal CO-RE
 * declarations: only members that are used, relocated at load time against the
 * running kernel's BTF. A full vmlinux.h would be 130,000 lines of one kernel.
 */
#ifndef MADVTRACE_KERNEL_TYPES_H
#define MADVTRACE_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0

/* uapi/linux/bpf.h: only what is used. */
enum {
  BPF_ANY = 0,
  BPF_NOEXIST = 1,
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PERCPU_HASH = 5,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_RINGBUF = 27,
  BPF_MAP_TYPE_TASK_STORAGE = 29,
  BPF_F_NO_PREALLOC = 1,
  BPF_F_MMAPABLE = 1024,
  BPF_F_USER_STACK = 256,
  BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
  BPF_RB_NO_WAKEUP = 1,
  BPF_RB_FORCE_WAKEUP = 2,
  BPF_RB_AVAIL_DATA = 0,
  BPF_RB_RING_SIZE = 1,
};

/* What a syscall tracepoint passes: user ABI, as in its `format` file, so not
 * relocated (an array in a relocated context is refused by the verifier). */
struct trace_event_raw_sys_enter {
  __u64 common;
  long id;
  unsigned long args[6];
};

struct trace_event_raw_sys_exit {
  __u64 common;
  long id;
  long ret;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
  __u32 s_dev;
};

struct inode {
  void* i_private;
  unsigned long i_ino;
  struct super_block* i_sb;
};

struct file {
  void* private_data;
  struct inode* f_inode;
};

/* Since 6.2. */
struct percpu_counter {
  __s64 count;
  __s32* counters; /* __percpu */
};

struct mm_struct {
  struct percpu_counter rss_stat[4];
  void* pgd;
  struct file* exe_file;
  unsigned long start_brk;
  unsigned long brk;
  unsigned long def_flags;
};

/* Before 6.2. */
struct mm_rss_stat {
  __s64 count[4];
};

struct mm_struct___before_6_2 {
  struct mm_rss_stat rss_stat;
};

struct bpf_array {
  void* pptrs[0];
};

typedef struct {
  int counter;
} atomic_t;

struct pid {
  unsigned int level;
};

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };

struct signal_struct {
  atomic_t live;
  struct pid* pids[4];
  int group_exit_code;
};

struct fdtable {
  unsigned int max_fds;
  struct file** fd;
};

struct files_struct {
  struct fdtable* fdt;
};

struct kernfs_node {
  __u64 id;
};

struct cgroup {
  struct kernfs_node* kn;
  int level;
  struct cgroup* ancestors[1]; /* 6.1+; [level + 1] of them */
};

/* Up to 6.0. */
struct cgroup___before_6_1 {
  __u64 ancestor_ids[1];
};

struct cgroup_subsys_state {
  struct cgroup* cgroup;
};

struct css_set {
  struct cgroup_subsys_state* subsys[1]; /* by enum cgroup_subsys_id */
  struct cgroup* dfl_cgrp;
};

struct task_struct {
  int pid;
  int tgid;
  int exit_code;
  unsigned int flags;
  struct mm_struct* mm;
  struct signal_struct* signal;
  struct files_struct* files;
  struct task_struct* group_leader;
  struct css_set* cgroups;
  char comm[16];
};

struct vm_area_struct {
  struct mm_struct* vm_mm;
  unsigned long vm_end;
  struct file* vm_file;
};

enum pageflags { PG_swapbacked, PG_head };

struct folio {
  unsigned long flags;
  void* mapping;
  unsigned int _folio_nr_pages;
  unsigned int _nr_pages; /* its name since 6.15 */
};

typedef struct {
  unsigned long f;
} memdesc_flags_t;

struct folio___since_6_18 {
  memdesc_flags_t flags;
};

struct bpf_iter__task {
  void* meta;
  struct task_struct* task;
};

#pragma clang attribute pop

#endif
