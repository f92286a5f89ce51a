/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Advice to madvise that takes pages away or brings them (uapi/asm-generic/mman-common.h). */
#ifndef MADVTRACE_ADVICE_BPF_H
#define MADVTRACE_ADVICE_BPF_H

enum advice {
  MADV_DONTNEED = 4,
  MADV_FREE = 8,
  MADV_REMOVE = 9,
  MADV_PAGEOUT = 21,
  MADV_POPULATE_READ = 22,
  MADV_POPULATE_WRITE = 23,
  MADV_DONTNEED_LOCKED = 24, /* 5.18+ */
  MADV_COLLAPSE = 25,        /* 6.1+ */
  MADV_GUARD_INSTALL = 102,  /* 6.13+ */
};

#endif
