/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* One address in the page tables, without a lock: is there a page? */
#ifndef MADVTRACE_PRESENCE_BPF_H
#define MADVTRACE_PRESENCE_BPF_H

#include "pagewalk.bpf.h"

enum page_presence { PAGE_PRESENT, PAGE_SWAPPED, PAGE_ABSENT };

/* `pgd`: kernel address of the top table. */
static __always_inline enum page_presence presence_at(__u64 pgd, __u64 address) {
  struct descent descent = descend(direct_map_base, page_table_levels, pgd, address);
  if (descent.shift != PMD_SHIFT) return PAGE_ABSENT;
  __u64 pmd = descent.pmd;
  if (is_huge_page(pmd)) return is_huge_zero_page(pmd) ? PAGE_ABSENT : PAGE_PRESENT;
  if (!is_page_table(pmd)) return PAGE_ABSENT;
  struct entry_state state = state_of(read_entry(table_of(pmd), address, PAGE_SHIFT));
  return state.resident ? PAGE_PRESENT : state.swap ? PAGE_SWAPPED : PAGE_ABSENT;
}

#endif
