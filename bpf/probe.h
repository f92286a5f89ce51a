/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The argument of the programs in probe.bpf.c. */
#ifndef MADVTRACE_PROBE_H
#define MADVTRACE_PROBE_H

#include "records.h"

/* Translates one address of the calling process through its page tables, on the
 * assumption that the direct map begins at `base`. */
struct probe_translation {
  __u64 base;    /* in: 0 only asks for `pgd` */
  __u64 address; /* in */
  __u32 levels;  /* in: 4 or 5 */
  __u32 huge;    /* out: `entry` is a huge page's */
  __u64 pgd;     /* out: kernel address of the top table */
  __u64 entry;   /* out: the last entry reached, 0 if none */
};
WIRE_ASSERT_SIZE(struct probe_translation, 40);

#endif
