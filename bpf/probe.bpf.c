/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Finds out what the page walk needs to know before it can be loaded: run by user
 * space on its own memory, see userspace/kernel/direct_map.h. */
#include "kernel_types.h"
/* after the types: */
#include <bpf/bpf_helpers.h>
/* bpf_helpers.h first */
#include <bpf/bpf_core_read.h>

#include "probe.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ENTRY_PRESENT 0x1UL
#define ENTRY_HUGE 0x80UL
#define ENTRY_FRAME 0x000ffffffffff000UL
#define ENTRIES 512

static __always_inline __u64 read_entry(__u64 table, __u64 address, __u32 shift) {
  __u64 entry = 0;
  bpf_probe_read_kernel(&entry, sizeof(entry), (void*)(table + ((address >> shift) & (ENTRIES - 1)) * sizeof(entry)));
  return entry;
}

SEC("syscall")
int translate(struct probe_translation* probe) {
  __u64 base = probe->base;
  __u64 address = probe->address;
  __u64 table = (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, pgd);
  probe->pgd = table;
  probe->entry = 0;
  probe->huge = 0;
  if (!base || !table) return 0;

  __u64 entry;
  if (probe->levels == 5) {
    entry = read_entry(table, address, 48);
    if (!(entry & ENTRY_PRESENT)) return 0;
    table = base + (entry & ENTRY_FRAME);
  }
  entry = read_entry(table, address, 39);
  if (!(entry & ENTRY_PRESENT)) return 0;
  entry = read_entry(base + (entry & ENTRY_FRAME), address, 30);
  if (!(entry & ENTRY_PRESENT)) return 0;
  entry = read_entry(base + (entry & ENTRY_FRAME), address, 21);
  if (!(entry & ENTRY_PRESENT)) return 0;
  if (entry & ENTRY_HUGE) {
    probe->entry = entry;
    probe->huge = 1;
    return 0;
  }
  probe->entry = read_entry(base + (entry & ENTRY_FRAME), address, 12);
  return 0;
}
