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
#include "presence.bpf.h"

SEC("?perf_event")
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
  /* A write to a page that is shared faults too, and nothing comes back by it. */
  enum page_presence presence = presence_at((__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, pgd), address);
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
SEC("?syscall")
int forget_released(void* context) {
  bpf_for_each_map_elem(&released, forget_if_gone, 0, 0);
  return 0;
}

#endif
