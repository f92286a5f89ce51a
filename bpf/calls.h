/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What a call does to pages and what its answer means, as far as the BPF programs and
 * the model both have to know it. It compiles as C11 (BPF target, after the kernel's
 * types) and as C++20, and is nothing that crosses between the two.
 */
#ifndef MADVTRACE_CALLS_H
#define MADVTRACE_CALLS_H

/* Advice that takes pages away or brings them (uapi/asm-generic/mman-common.h). The names
 * are not those of the kernel, which <sys/mman.h> defines as macros. */
enum madvise_advice {
  ADVICE_DONTNEED = 4,
  ADVICE_FREE = 8,
  ADVICE_REMOVE = 9,
  ADVICE_PAGEOUT = 21,
  ADVICE_POPULATE_READ = 22,
  ADVICE_POPULATE_WRITE = 23,
  ADVICE_DONTNEED_LOCKED = 24, /* 5.18+ */
  ADVICE_COLLAPSE = 25,        /* 6.1+ */
  ADVICE_GUARD_INSTALL = 102,  /* 6.13+ */
};

/* After these the same address can be touched again, and the page comes back. */
static inline bool advice_can_come_back(int advice) {
  return advice == ADVICE_DONTNEED || advice == ADVICE_DONTNEED_LOCKED || advice == ADVICE_FREE ||
         advice == ADVICE_REMOVE || advice == ADVICE_PAGEOUT;
}

/* Whether a system call's answer is an error number (include/linux/err.h, IS_ERR_VALUE). */
static inline bool answer_is_errno(long long answer) { return answer < 0 && answer >= -4095; }

/* brk() answers with the break as it is: the one that was asked for, or the old one. */
static inline bool brk_failed(unsigned long long asked_for, unsigned long long answer) { return answer != asked_for; }

#endif
