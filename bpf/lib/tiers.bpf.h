/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The tiers beyond the base, and what they are told of targets. Each adds programs of its own, whose sections begin
 * with
 * "?": libbpf loads them only if user space asks for the tier (userspace/kernel/tiers).
 */
#ifndef MADVTRACE_TIERS_BPF_H
#define MADVTRACE_TIERS_BPF_H

#include "filter.bpf.h"
#include "reclaim_moment.bpf.h"
#include "refault.bpf.h"
#include "rss.bpf.h"

static __always_inline void target_begins(__u64 mm, __u32 tgid) { rss_begins(mm, tgid); }

static __always_inline void target_ends(__u64 mm, __u32 tgid) { rss_ends(mm, tgid); }

#endif
