/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Pages that were given back and are touched again. Runs on the page-faults software
 * event of the targets' threads, and of no others: at the beginning of each fault, also
 * of those that the kernel takes on user addresses (read() into a page).
 *
 * Not seen: pages that the kernel brings in without a fault (get_user_pages: O_DIRECT,
 * process_vm_writev, ptrace; MADV_POPULATE_*), or along with another (huge pages, file
 * pages around it). User space finds those resident when it next looks.
 */
#ifndef MADVTRACE_REFAULT_BPF_H
#define MADVTRACE_REFAULT_BPF_H

#include "filter.bpf.h"
#include "pagewalk.bpf.h"

enum page_presence { PAGE_PRESENT, PAGE_SWAPPED, PAGE_ABSENT };

/* As the fault finds it. A write to a page that is shared faults too, and nothing comes
 * back by it. */
static __always_inline enum page_presence presence_of(__u64 address) {
  __u64 table = (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, pgd);
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

SEC("perf_event")
int on_page_fault(struct bpf_perf_event_data* context) {
  if (recording_stopped) return 0;
  __u64 address = context->addr;
  struct released_key key = {.chunk = address >> PMD_SHIFT, .tgid = bpf_get_current_pid_tgid() >> 32};
  struct released_pages* given_back = bpf_map_lookup_elem(&released, &key);
  if (!given_back) return 0;
  __u32 page = (address >> PAGE_SHIFT) & (TABLE_ENTRIES - 1);
  __u64 bit = 1UL << (page & 63);
  __u64* word = &given_back->bits[page >> 6];
  if (!(*word & bit)) return 0;
  enum page_presence presence = presence_of(address);
  if (presence == PAGE_PRESENT) return 0;
  /* Several threads may be waiting for the page: whoever clears the bit tells. */
  if (!(__sync_fetch_and_and(word, ~bit) & bit)) return 0;
  struct wire_refault* record = reserve(sizeof(*record), WIRE_LOST_REFAULT_RING);
  if (!record) return 0;
  fill_header(&record->header, sizeof(*record), WIRE_REFAULT);
  record->addr = address & ~(PAGE_BYTES - 1);
  record->flags = presence == PAGE_SWAPPED ? WIRE_REFAULT_SWAPPED : 0;
  record->reserved = 0;
  submit(record);
  return 0;
}

static long forget_if_gone(void* map, struct released_key* key, void* value, void* context) {
  __u32 tgid = key->tgid;
  if (bpf_map_lookup_elem(&targets, &tgid)) return 0;
  struct released_key gone = *key;
  if (!bpf_map_delete_elem(&released, &gone)) __sync_fetch_and_sub(&released_chunks, 1);
  return 0;
}

/* Run by user space when the table fills up: forgets what processes had that have ended. */
SEC("syscall")
int forget_released(void* context) {
  bpf_for_each_map_elem(&released, forget_if_gone, 0, 0);
  return 0;
}

#endif
