/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* One address in the page tables, without a lock: is there a page? */
#ifndef MADVTRACE_PRESENCE_BPF_H
#define MADVTRACE_PRESENCE_BPF_H

#include "pagewalk.bpf.h"

enum page_presence { PAGE_PRESENT, PAGE_SWAPPED, PAGE_ABSENT };

/* `pgd`: kernel address of the top table. */
static __always_inline enum page_presence presence_at(__u64 pgd, __u64 address) {
  __u64 table = pgd;
  __u64 entry;
  if (page_table_levels == 5) {
    entry = read_entry(table, address, PGD_SHIFT_5);
    if (!(entry & ENTRY_PRESENT)) return PAGE_ABSENT;
    table = table_of(entry);
  }
  entry = read_entry(table, address, P4D_SHIFT_4);
  if (!(entry & ENTRY_PRESENT)) return PAGE_ABSENT;
  entry = read_entry(table_of(entry), address, PUD_SHIFT);
  if (!(entry & ENTRY_PRESENT)) return PAGE_ABSENT;
  entry = read_entry(table_of(entry), address, PMD_SHIFT);
  if (!(entry & (ENTRY_PRESENT | ENTRY_PROTNONE))) return PAGE_ABSENT;
  if (entry & ENTRY_HUGE) return is_huge_zero_page(entry) ? PAGE_ABSENT : PAGE_PRESENT;
  struct entry_state state = state_of(read_entry(table_of(entry), address, PAGE_SHIFT));
  return state.resident ? PAGE_PRESENT : state.swap ? PAGE_SWAPPED : PAGE_ABSENT;
}

#endif
