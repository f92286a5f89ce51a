/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The recorded contract between the BPF programs and user space: every record
 * that crosses the ring buffer, byte for byte. It compiles as C11 (BPF target)
 * and as C++20. A recording holds these records unchanged, so a change of any
 * layout or meaning below is a new WIRE_VERSION. What the two sides tell each
 * other besides, while a trace runs, is in control.h.
 *
 * Rules
 *  - fixed-width members, no bit-fields, no implicit padding, sizes asserted;
 *  - every record starts with struct wire_header; `size` counts the whole
 *    record and is a multiple of 8;
 *  - ring order is the order of events. A release is recorded when the call
 *    *begins* and an acquisition when it *ends*: in this order a thread never
 *    seems to map what another has not unmapped yet. Timestamps are not sorted.
 *
 * Not promised: that every WIRE_RELEASE_BEGIN is followed by its
 * WIRE_RELEASE_END (the thread may be killed, the end may be lost, the trace
 * may stop first).
 */
#ifndef MADVTRACE_RECORDS_H
#define MADVTRACE_RECORDS_H

#ifdef __cplusplus
#include <linux/types.h>
#define WIRE_ASSERT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes))
#else
#define WIRE_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#endif

#define WIRE_VERSION 5

#define WIRE_COMM_BYTES 16  /* TASK_COMM_LEN */
#define WIRE_STACK_DEPTH 64 /* frames kept of a user stack, leaf first */
#define WIRE_SYSCALL_ARGS 6

/* Kinds below WIRE_COLLECTOR_FIRST come from the kernel; the collector's own
 * records (userspace/stream/collector_record.h) use the numbers from there on. */
enum wire_kind {
  WIRE_RELEASE_BEGIN = 1, /* struct wire_call: a call that may take pages away begins */
  WIRE_RELEASE_RANGE = 2, /* struct wire_range: one more range of that call */
  WIRE_RELEASE_END = 3,   /* struct wire_end: and returns */
  WIRE_CALL = 4,          /* struct wire_call: a call that releases nothing has returned */
  WIRE_STACK = 5,         /* struct wire_stack: a user stack, before its first use */
  WIRE_FORK = 6,          /* struct wire_fork */
  WIRE_EXEC = 7,          /* struct wire_exec */
  WIRE_EXIT = 8,          /* struct wire_exit: the last thread of a process is gone */
  WIRE_PAGES = 9,         /* struct wire_pages: which pages of 2 MiB are resident */
  WIRE_GC_START = 10,     /* struct wire_gc: a garbage collection of a Go program marks from here */
  WIRE_GC_END = 11,       /* struct wire_gc: it has marked everything, and sweeps */
  WIRE_JOIN = 12,         /* struct wire_member: a process of the watched cgroup is traced from here on */
  WIRE_LEAVE = 13,        /* struct wire_member: it is not any more */
  WIRE_REFAULT = 14,      /* struct wire_refault: a page that was given back is touched again */
  WIRE_RECLAIMED = 15,    /* struct wire_reclaimed: a lazily freed page is taken, at this moment */
  WIRE_RSS_BEGIN = 16,    /* struct wire_rss: what an address space has in RSS; changes are counted from here */
  WIRE_RSS_CHANGES = 17,  /* struct wire_rss: what has changed since, and by whom */
  WIRE_KERNEL_KINDS = 18,
  WIRE_COLLECTOR_FIRST = 64,
};

enum wire_syscall {
  WIRE_MMAP = 1,
  WIRE_MUNMAP = 2,
  WIRE_MADVISE = 3,
  WIRE_PROCESS_MADVISE = 4,
  WIRE_MREMAP = 5,
  WIRE_BRK = 6,
};

struct wire_header {
  __u32 size; /* bytes of the whole record */
  __u16 kind; /* enum wire_kind */
  __u16 reserved;
  __u64 mono_ns; /* CLOCK_MONOTONIC when it was written */
  __u32 pid;     /* tgid in the initial pid namespace */
  __u32 tid;     /* thread that it happened on */
  __u64 lost;    /* records that the kernel side had lost, of any process, before this one */
};
WIRE_ASSERT_SIZE(struct wire_header, 32);

enum wire_walk_flag {
  WIRE_WALK_DONE = 1,          /* the counts are filled in; without it nothing is known */
  WIRE_WALK_CAPPED = 2,        /* stopped at walked_end: the counts are lower bounds */
  WIRE_WALK_SAMPLED = 4,       /* no page tables: probed every n-th page and scaled up */
  WIRE_WALK_FILE = 8,          /* every mapping in it is a file's: clean is not lazily freed */
  WIRE_WALK_CLEAN_UNKNOWN = 16 /* mixed, or could not be told: clean_pages says nothing */
};

/* What the page tables held for one range. Unit: 4 KiB pages; a huge page counts
 * as the 512 (or the part of them inside the range) that it is. */
struct wire_walk {
  __u64 resident_pages; /* present, and counted in RSS (the zero pages are not) */
  __u64 clean_pages;    /* of them: dirty bit clear. In anonymous memory: lazily freed
                           (or just read back from swap) */
  __u64 huge_pages;     /* of them: mapped by a huge PMD */
  __u64 swap_pages;     /* swapped out */
  __u64 walked_end;     /* first address that was not looked at */
  __u32 flags;          /* enum wire_walk_flag */
  __u32 walk_ns;        /* what the look cost the calling thread */
};
WIRE_ASSERT_SIZE(struct wire_walk, 48);

enum wire_call_flag {
  WIRE_CALL_REMOTE = 1, /* process_madvise on another process than the caller's */
};

/* One system call. As WIRE_RELEASE_BEGIN it is written before the call runs:
 * ret is 0 and says nothing, and range_* and walk say what the call is about to
 * release (for mremap and brk not the same as its arguments). As WIRE_CALL it
 * is written when the call has returned; range_* and walk are set only where
 * the call itself may have filled pages (MAP_POPULATE, MADV_POPULATE_*,
 * MADV_COLLAPSE). */
struct wire_call {
  struct wire_header header;
  __u64 begin_ns;                /* CLOCK_MONOTONIC at entry: names the call within its thread */
  __u64 stack_key;               /* of a WIRE_STACK of this process; 0: no stack */
  __u64 cgroup_id;               /* in the unified hierarchy */
  __u64 args[WIRE_SYSCALL_ARGS]; /* as the program passed them; unchecked */
  __s64 ret;                     /* negative errno on failure */
  __u64 range_addr;
  __u64 range_bytes;
  struct wire_walk walk;
  __u16 syscall; /* enum wire_syscall */
  __u16 flags;   /* enum wire_call_flag */
  __u32 reserved;
  char comm[WIRE_COMM_BYTES];
};
WIRE_ASSERT_SIZE(struct wire_call, 32 + 3 * 8 + 6 * 8 + 3 * 8 + 48 + 8 + 16);

/* A further range of the release that the same thread began at begin_ns:
 * process_madvise's second and later ranges, the second one of an mremap that
 * both shrinks and moves. */
struct wire_range {
  struct wire_header header;
  __u64 begin_ns;
  __u64 range_addr;
  __u64 range_bytes;
  struct wire_walk walk;
};
WIRE_ASSERT_SIZE(struct wire_range, 32 + 3 * 8 + 48);

/* The release that began at begin_ns on this thread has returned. `after` sums
 * all its ranges once more, and only where ret alone does not say what became
 * of the pages: every error, MADV_PAGEOUT, a mapping that was populated. */
struct wire_end {
  struct wire_header header;
  __u64 begin_ns;
  __s64 ret;
  struct wire_walk after;
};
WIRE_ASSERT_SIZE(struct wire_end, 32 + 2 * 8 + 48);

#define WIRE_CHUNK_PAGES 512 /* of one page table: 2 MiB */
#define WIRE_CHUNK_WORDS (WIRE_CHUNK_PAGES / 64)

enum wire_pages_flag {
  WIRE_PAGES_ON_DEMAND = 1, /* the collector asked; otherwise part of a release */
  WIRE_PAGES_HUGE = 2,      /* on demand: it is one huge page */
};

/* Which pages of a 2 MiB chunk are resident, and which of those clean, one bit each;
 * only bits of [first_page, first_page + pages) mean anything. Clean and not resident is
 * a page in swap: what was lazily freed goes there only if it was written again.
 *
 * Of a release: between its begin and its end, for each chunk of its ranges that
 * holds anything, in processes that use MADV_FREE, and in all where refaults are
 * recorded. A chunk without one holds nothing.
 * On demand: written after the look, which began at begin_ns. Whatever changed a page
 * before the look saw it stands earlier in the ring. */
struct wire_pages {
  struct wire_header header; /* pid: whose pages; tid: 0 on demand */
  __u64 begin_ns;
  __u64 chunk_addr; /* multiple of 2 MiB */
  __u16 first_page;
  __u16 pages;
  __u32 flags; /* enum wire_pages_flag */
  __u64 resident[WIRE_CHUNK_WORDS];
  __u64 clean[WIRE_CHUNK_WORDS];
};
WIRE_ASSERT_SIZE(struct wire_pages, 32 + 2 * 8 + 8 + 2 * 64);

enum wire_refault_flag {
  WIRE_REFAULT_SWAPPED = 1, /* it is not gone but in swap: somebody other than a release took it */
};

/* A page that was resident when an advice gave it back, and is not present now, is
 * touched: by the program, or by the kernel on its account (read() into it). Written
 * before the fault is handled, so before anybody can see the page. Once for each time
 * that the page was given back. What was unmapped and mapped anew meanwhile is told too. */
struct wire_refault {
  struct wire_header header; /* tid: which thread touched it */
  __u64 addr;                /* multiple of 4 KiB */
  __u32 flags;               /* enum wire_refault_flag */
  __u32 reserved;
};
WIRE_ASSERT_SIZE(struct wire_refault, 32 + 16);

/* Who reclaims. It is also the index of the kernel side's sums (control.h). */
enum wire_reclaimer {
  WIRE_RECLAIM_KSWAPD = 0, /* does not say how many pages it took */
  WIRE_RECLAIM_MEMCG = 1,  /* for a limit of a group, or because it was asked to (memory.reclaim) */
  WIRE_RECLAIM_DIRECT = 2,
  WIRE_RECLAIM_DAMON = 3,
  WIRE_RECLAIM_OTHER = 4, /* node reclaim; MADV_PAGEOUT by a process that is no target */
  WIRE_RECLAIM_SELF = 5,  /* of a page: its own process. Of sums: targets that reclaimed, for whomever;
                             which of them is in struct wire_target */
  WIRE_RECLAIMERS = 6,
};

/* Lazily freed pages of a target that the kernel has just dropped (try_to_unmap_one() has
 * returned true), and that are absent now. Only where that function can be hooked. What
 * finds no room here is found gone by a look. */
struct wire_reclaimed {
  struct wire_header header; /* pid: whose pages; tid: 0 */
  __u64 addr;                /* multiple of 4 KiB */
  __u32 pages;               /* of one folio, from there on */
  __u32 by;                  /* enum wire_reclaimer */
};
WIRE_ASSERT_SIZE(struct wire_reclaimed, 32 + 16);

/* Why RSS changes: as the kernel counts it (the rss_stat tracepoint), by who is running.
 * What leaves at the end of a process or in an exec is not among them: all that is left. */
enum wire_rss_cause {
  WIRE_RSS_FAULT = 0,      /* the process itself, outside of the traced calls; of what comes: also inside */
  WIRE_RSS_RELEASE = 1,    /* inside of a traced call */
  WIRE_RSS_KHUGEPAGED = 2, /* made huge pages of small ones and of holes */
  WIRE_RSS_OOM_REAPER = 3,
  WIRE_RSS_OTHER = 4,   /* another process (process_madvise, ptrace), another kernel thread (ksmd) */
  WIRE_RSS_RECLAIM = 5, /* this and the following: + enum wire_reclaimer */
  WIRE_RSS_CAUSES = 5 + 6,
};

#define WIRE_RSS_MEMBERS 4 /* MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES: linux/mm_types_task.h */

/* Pages of one address space, by member. WIRE_RSS_BEGIN: what it has, in gained_pages; all
 * else is 0. WIRE_RSS_CHANGES: of one cause, since that WIRE_RSS_BEGIN; a cause without
 * changes has none. The sum over all causes is exact but for changes under way; between
 * causes a few pages can be mixed up when two CPUs change RSS at the same moment. */
struct wire_rss {
  struct wire_header header; /* pid: whose; tid: 0 */
  __u32 cause;               /* enum wire_rss_cause */
  __u32 reserved;
  __u64 gained_pages[WIRE_RSS_MEMBERS];
  __u64 lost_pages[WIRE_RSS_MEMBERS];
};
WIRE_ASSERT_SIZE(struct wire_rss, 32 + 8 + 2 * 32);

/* header.size covers `depth` addresses only, not the whole array. */
struct wire_stack {
  struct wire_header header;
  __u64 stack_key;
  __u32 depth; /* 1..WIRE_STACK_DEPTH; exactly WIRE_STACK_DEPTH: perhaps cut off */
  __u32 reserved;
  __u64 addresses[WIRE_STACK_DEPTH]; /* leaf first */
};
WIRE_ASSERT_SIZE(struct wire_stack, 48 + 8 * WIRE_STACK_DEPTH);

/* header.pid is the parent; written before the child runs. */
struct wire_fork {
  struct wire_header header;
  __u32 child_pid;
  __u32 followed; /* 1: the child is traced from its first instruction on */
  char comm[WIRE_COMM_BYTES];
};
WIRE_ASSERT_SIZE(struct wire_fork, 32 + 8 + 16);

/* The file that a process runs, as the kernel knows it: the same for two processes means
 * the same program, which need not be asked of one that is gone. stat() may say
 * otherwise (overlayfs, btrfs). */
struct wire_program {
  __u64 inode; /* 0: not known */
  __u32 device;
  __u32 reserved;
};
WIRE_ASSERT_SIZE(struct wire_program, 16);

/* The old address space is gone, the new one not yet run in. */
struct wire_exec {
  struct wire_header header;
  __u64 cgroup_id;
  struct wire_program program;
  char comm[WIRE_COMM_BYTES]; /* the new name */
};
WIRE_ASSERT_SIZE(struct wire_exec, 32 + 8 + 16 + 16);

enum wire_member_why {
  WIRE_MEMBER_FOUND = 0,   /* it was there when the group began to be watched */
  WIRE_MEMBER_CALLED = 1,  /* a call of it is the first that is known of it */
  WIRE_MEMBER_FORKED = 2,  /* by a process that is not traced (clone3 with CLONE_INTO_CGROUP) */
  WIRE_MEMBER_MOVED = 3,   /* into the group, or out of it */
  WIRE_MEMBER_EXECED = 4,  /* it runs another program now */
  WIRE_MEMBER_REFUSED = 5, /* by the collector: it is not of the kind that is traced */
  WIRE_MEMBER_WHYS = 6,
};

/* A process belongs to the group that its first thread (the thread group leader) is in,
 * as does the memory that it is charged for (mm->owner), whatever groups its other
 * threads are in. header.pid: the process; tid: 0. */
struct wire_member {
  struct wire_header header;
  __u64 cgroup_id;
  struct wire_program program;
  __u32 why; /* enum wire_member_why */
  __u32 reserved;
  char comm[WIRE_COMM_BYTES];
};
WIRE_ASSERT_SIZE(struct wire_member, 32 + 8 + 16 + 8 + 16);

struct wire_exit {
  struct wire_header header;
  __u64 cgroup_id;
  __s32 wait_status; /* as waitpid() reports it */
  __u32 reserved;
  char comm[WIRE_COMM_BYTES];
};
WIRE_ASSERT_SIZE(struct wire_exit, 32 + 8 + 8 + 16);

/* What made a Go runtime collect (runtime.gcTriggerKind, src/runtime/mgc.go). */
enum wire_gc_trigger {
  WIRE_GC_HEAP = 0,   /* the heap has grown to its goal */
  WIRE_GC_TIME = 1,   /* two minutes without a collection */
  WIRE_GC_FORCED = 2, /* runtime.GC() or debug.FreeOSMemory() */
  WIRE_GC_UNKNOWN = -1,
};

/* A thread enters runtime.(*gcControllerState).startCycle or runtime.gcSweep. An entry
 * can run twice, on the same thread and with nothing in between: Go runs a function's
 * entry again when it had to find a larger stack first. */
struct wire_gc {
  struct wire_header header;
  __u64 cgroup_id;
  __s32 trigger; /* enum wire_gc_trigger, or whatever stood in its place; of a start */
  __u32 reserved;
  char comm[WIRE_COMM_BYTES];
};
WIRE_ASSERT_SIZE(struct wire_gc, 32 + 8 + 8 + 16);

#endif
