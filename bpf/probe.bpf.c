/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Finds out what the page walk needs to know before it can be loaded: run by user
 * space on its own memory, see userspace/kernel/direct_map.h. */
#include "kernel_types.h"
/* after the types: */
#include <bpf/bpf_helpers.h>
/* bpf_helpers.h first */
#include <bpf/bpf_core_read.h>

#include "probe.h"
/* after the helpers */
#include "arch/x86.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("syscall")
int translate(struct probe_translation* probe) {
  __u64 base = probe->base;
  __u64 address = probe->address;
  __u64 pgd = (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, pgd);
  probe->pgd = pgd;
  probe->entry = 0;
  probe->huge = 0;
  if (!base || !pgd) return 0;

  struct descent descent = descend(base, probe->levels, pgd, address);
  if (descent.shift != PMD_SHIFT) return 0;
  if (is_huge_page(descent.pmd)) {
    probe->entry = descent.pmd;
    probe->huge = 1;
  } else if (is_page_table(descent.pmd)) {
    probe->entry = read_entry(table_at(base, descent.pmd), address, PAGE_SHIFT);
  }
  return 0;
}
