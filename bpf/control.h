/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the BPF programs and user space tell each other while a trace runs: the
 * tables that they share and the arguments of the programs that user space runs
 * itself. It compiles as C11 (BPF target) and as C++20.
 *
 * None of it is ever recorded, and both sides come out of one build: a change
 * here is no new WIRE_VERSION. The rules of records.h for layouts hold here too.
 */
#ifndef MADVTRACE_CONTROL_H
#define MADVTRACE_CONTROL_H

#include "records.h"

/* What one kind of reclaimer has done since the hooks were attached. The pages are told at
 * the end of a reclaim: while one is under way, nobody knows how many it has taken. */
struct wire_reclaim_sum {
  __u64 ended;    /* of the reclaims that were seen to begin. Read first, written last */
  __u64 pages;    /* of any process */
  __u64 begun;    /* reclaims that were seen to begin */
  __u64 begun_ns; /* CLOCK_MONOTONIC: when the last one began */
};
WIRE_ASSERT_SIZE(struct wire_reclaim_sum, 32);

/* A process to trace. Key of the table: tgid. */
enum wire_target_flag {
  WIRE_TARGET_FOLLOW = 1,   /* children are targets too, whatever group they are in */
  WIRE_TARGET_LAZY = 2,     /* it has used MADV_FREE: its releases come with WIRE_PAGES */
  WIRE_TARGET_MEMBER = 4,   /* found by its cgroup; no target any more once it has left that */
  WIRE_TARGET_LEFT_OUT = 8, /* not traced until it runs another program */
};
struct wire_target {
  __u64 mm; /* kernel address of its mm_struct; 0 until seen. Never leaves the kernel side */
  __u32 flags;
  __u32 programs;                   /* how many it has begun to run (execs) while it was a target */
  struct wire_reclaim_sum reclaims; /* its own: direct and node reclaim, MADV_PAGEOUT */
};
WIRE_ASSERT_SIZE(struct wire_target, 48);

/* The argument of leave_out: this process, if it still runs the program that was looked at. */
struct wire_leave_out {
  __u32 pid;
  __u32 programs; /* as in its struct wire_target */
  __u32 done;     /* out: 1 if it is left out now */
  __u32 reserved;
};
WIRE_ASSERT_SIZE(struct wire_leave_out, 16);

/* One job of the on-demand page walker, in the array that it shares with user
 * space: filled in by the collector but for `walk`. */
enum wire_job_flag {
  WIRE_JOB_PAGES = 1, /* within one chunk: answer with a WIRE_PAGES as well */
};
struct wire_walk_job {
  __u32 pid;
  __u32 gone; /* out: 1 when the process or its address space went away meanwhile */
  __u64 addr;
  __u64 bytes;
  __u32 flags; /* enum wire_job_flag */
  __u32 reserved;
  struct wire_walk walk; /* out */
};
WIRE_ASSERT_SIZE(struct wire_walk_job, 32 + 48);

#define WIRE_WALK_JOBS 512 /* in one request */

/* The argument of run_walk_jobs: how many jobs are filled in. */
struct wire_walk_request {
  __u32 jobs;
  __u32 reserved;
};
WIRE_ASSERT_SIZE(struct wire_walk_request, 8);

/* The argument of tell_rss: of this process, by records in the ring. */
struct wire_rss_request {
  __u32 pid;
  __u32 reserved;
};
WIRE_ASSERT_SIZE(struct wire_rss_request, 8);

#define WIRE_RSS_CPUS 4096 /* that changes of RSS can be counted on */

/* How many of a cgroup's ancestors are looked at, itself included: a deeper one has to be
 * refused. */
#define WIRE_GROUP_LEVELS 32

/* The cookie of an attached on_gc_start_enter. */
enum wire_gc_cookie {
  WIRE_GC_TRIGGER_IN_DI = 1, /* the trigger is the fourth argument, in a register (amd64, Go 1.19+) */
};

/* Why a record, or what belongs in one, is missing. The index of the kernel
 * side's counters; named for users in userspace/kernel/bpf_session.cc. */
enum wire_loss {
  WIRE_LOST_CALL_RING = 0,       /* no room for a call, or for the begin of a release */
  WIRE_LOST_END_RING = 1,        /* no room for the end of a release */
  WIRE_LOST_RANGE_RING = 2,      /* no room for a further range */
  WIRE_LOST_STACK_RING = 3,      /* no room for a new stack: its frames come later or never */
  WIRE_LOST_PROCESS_RING = 4,    /* no room for a fork, exec or exit */
  WIRE_LOST_INFLIGHT = 5,        /* no memory to remember a call between entry and exit */
  WIRE_LOST_TARGET_TABLE = 6,    /* a forked child could not be followed: table full */
  WIRE_LOST_STACK_UNREAD = 7,    /* the stack could not be read */
  WIRE_LOST_WALK = 8,            /* the page tables could not be read */
  WIRE_LOST_PAGES_RING = 9,      /* no room to say which pages of a release were resident */
  WIRE_LOST_GC_RING = 10,        /* no room for the start or the end of a collection */
  WIRE_LOST_REFAULT_RING = 11,   /* no room to say that a page was touched again */
  WIRE_LOST_RELEASED_TABLE = 12, /* no room to remember which pages of 2 MiB were given back */
  WIRE_LOST_RECLAIMED_RING = 13, /* no room to say when a page was reclaimed: only within an interval */
  WIRE_LOST_RSS_RING = 14,       /* no room to say what has changed RSS */
  WIRE_LOST_RSS_TABLE = 15,      /* no room to count what changes RSS of a process */
  WIRE_LOSSES = 16,
};

#endif
