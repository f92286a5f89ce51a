/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The moment at which the kernel takes a lazily freed page of a target, and its address:
 * try_to_unmap_one() (mm/rmap.c) has returned true for a folio that is anonymous and not
 * backed by swap. It is a static function, hooked where the kernel lets us
 * (userspace/kernel/function_hook.h): 6.1 to 6.18 have it with the same first arguments.
 *
 * It never takes the ring's last half: calls come first, and a page that is not told of
 * here is found gone by the next look.
 */
#ifndef MADVTRACE_RECLAIM_MOMENT_BPF_H
#define MADVTRACE_RECLAIM_MOMENT_BPF_H

#include "pagewalk.bpf.h"
#include "presence.bpf.h"
#include "rss.bpf.h"

#define PAGE_MAPPING_ANON 1 /* linux/page-flags.h, in folio->mapping */

/* Since 6.18 the flags are in a struct of their own. */
static __noinline __u64 folio_flags_since_6_18(__u64 folio) {
  return BPF_CORE_READ((struct folio___since_6_18*)folio, flags.f);
}

static __noinline __u64 folio_flags_before_6_18(__u64 folio) { return BPF_CORE_READ((struct folio*)folio, flags); }

static __always_inline __u64 folio_flags(__u64 folio) {
  return bpf_core_type_exists(memdesc_flags_t) ? folio_flags_since_6_18(folio) : folio_flags_before_6_18(folio);
}

static __noinline __u32 pages_of_large_folio(__u64 folio) {
  if (bpf_core_field_exists(((struct folio*)folio)->_folio_nr_pages)) {
    return BPF_CORE_READ((struct folio*)folio, _folio_nr_pages);
  }
  if (bpf_core_field_exists(((struct folio*)folio)->_nr_pages)) return BPF_CORE_READ((struct folio*)folio, _nr_pages);
  return 1;
}

static __always_inline int taken(__u64 folio, __u64 vma, __u64 address) {
  __u64 mm = (__u64)BPF_CORE_READ((struct vm_area_struct*)vma, vm_mm);
  struct address_space* space = bpf_map_lookup_elem(&address_spaces, &mm);
  if (!space || recording_stopped) return 0;
  __u64 flags = folio_flags(folio);
  __u64 swapbacked = 1UL << bpf_core_enum_value(enum pageflags, PG_swapbacked);
  __u64 large = 1UL << bpf_core_enum_value(enum pageflags, PG_head);
  if (!((__u64)BPF_CORE_READ((struct folio*)folio, mapping) & PAGE_MAPPING_ANON) || (flags & swapbacked)) return 0;
  address &= ~(PAGE_BYTES - 1);
  /* Touched again, before this could be written. */
  if (presence_at((__u64)BPF_CORE_READ((struct mm_struct*)mm, pgd), address) == PAGE_PRESENT) return 0;
  struct wire_reclaimed* record = 0;
  if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) < bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 2) {
    record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
  }
  if (!record) { /* no hole in what is known: a look will find it */
    count_loss(WIRE_LOST_RECLAIMED_RING);
    return 0;
  }
  fill_header(&record->header, sizeof(*record), WIRE_RECLAIMED);
  record->header.pid = space->tgid;
  record->header.tid = 0;
  record->addr = address;
  record->pages = flags & large ? pages_of_large_folio(folio) : 1;
  record->by = current_reclaimer(space->tgid);
  submit(record);
  return 0;
}

SEC("?fexit/try_to_unmap_one")
int BPF_PROG(on_unmap_exit, struct folio* folio, struct vm_area_struct* vma, unsigned long address, void* flags,
             bool unmapped) {
  return unmapped ? taken((__u64)folio, (__u64)vma, address) : 0;
}

#endif
