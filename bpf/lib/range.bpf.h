/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a range of the current process holds, by the page walk or, where page
 * tables cannot be read, by probing. */
#ifndef MADVTRACE_RANGE_BPF_H
#define MADVTRACE_RANGE_BPF_H

#include "filter.bpf.h"
#include "inflight.bpf.h"
#include "pagewalk.bpf.h"

#define MAPPINGS_LOOKED_AT 8
#define PROBES 32

struct mapping_kinds {
  __u64 next; /* first address behind the mapping found last */
  __u32 anonymous;
  __u32 file;
};

static long note_mapping(struct task_struct* task, struct vm_area_struct* vma, void* context) {
  struct mapping_kinds* kinds = context;
  if (vma->vm_file) {
    kinds->file = 1;
  } else {
    kinds->anonymous = 1;
  }
  kinds->next = vma->vm_end;
  return 0;
}

/* Clean pages are lazily freed ones in anonymous memory and plain page cache in a
 * file mapping: says which. Asked only when there are clean pages, since it takes
 * mmap_lock for a moment (a try-lock; if it is held for writing we do not know). */
static __always_inline __u32 clean_pages_flag(struct range* range) {
  struct mapping_kinds kinds = {.next = range->address};
  __u64 end = range->address + range->bytes;
  for (int i = 0; i < MAPPINGS_LOOKED_AT; i++) {
    if (kinds.next >= end) break;
    if (bpf_find_vma(bpf_get_current_task_btf(), kinds.next, note_mapping, &kinds, 0)) return WIRE_WALK_CLEAN_UNKNOWN;
  }
  if (kinds.next < end) return WIRE_WALK_CLEAN_UNKNOWN;
  if (!kinds.file) return 0;
  return kinds.anonymous ? WIRE_WALK_CLEAN_UNKNOWN : WIRE_WALK_FILE;
}

struct probe_state {
  __u64 next;
  __u64 stride;
  __u64 probed;
  __u64 resident;
};

static long probe_step(__u32 index, void* context) {
  struct probe_state* probe = context;
  char byte;
  /* Page faults are off here: only a page that is present can be read. */
  if (!bpf_probe_read_user(&byte, sizeof(byte), (void*)probe->next)) probe->resident++;
  probe->probed++;
  probe->next += probe->stride;
  return 0;
}

/* No page tables: at most PROBES pages, evenly spread, scaled to the range. Up to
 * PROBES pages that is all of them, but for zero pages, PROT_NONE and the state. */
static __always_inline void probe_range(struct range* range, struct wire_walk* out) {
  __u64 begin_ns = bpf_ktime_get_ns();
  __u64 pages = (range->bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
  __u64 probes = pages < PROBES ? pages : PROBES;
  struct probe_state probe = {.next = range->address};
  if (probes) {
    probe.stride = (pages / probes) << PAGE_SHIFT;
    bpf_loop(probes, probe_step, &probe, 0);
    out->resident_pages += probe.resident * pages / probes;
  }
  out->walked_end = range->address + range->bytes;
  out->flags |= WIRE_WALK_DONE | WIRE_WALK_SAMPLED | WIRE_WALK_CLEAN_UNKNOWN;
  out->walk_ns += (__u32)(bpf_ktime_get_ns() - begin_ns);
}

/* `call`: for which the pages are written out one by one, if its process is lazy. */
static __noinline int look_at_range(struct range* range, struct inflight* call, struct wire_walk* out) {
  if (!range || !out) return 0;
  if (!page_table_levels) {
    probe_range(range, out);
    return 0;
  }
  __u32 slot = WALK_SLOT_CALL;
  struct walk* walk = bpf_map_lookup_elem(&walks, &slot);
  if (!walk) return 0;
  walk->write_pages = call && call->write_pages;
  walk->note_released = record_refaults && call && call->note_released;
  walk->begin_ns = call ? call->begin_ns : 0;
  page_walk((__u64)BPF_CORE_READ(current_mm(), pgd), range->address, range->bytes, WALK_SLOT_CALL, out);
  if (out->clean_pages) out->flags |= clean_pages_flag(range);
  return 0;
}

#endif
