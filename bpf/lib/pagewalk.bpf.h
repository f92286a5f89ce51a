/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The page walk: what a range of an address space holds right now, counted from
 * its page tables without a lock. How the tables look is in arch/.
 *
 * Tables are reached through the kernel's direct map, whose base user space
 * finds and proves before loading (userspace/kernel/direct_map.h). Reads are
 * fault-safe. A table that another thread frees during the walk can yield stale
 * counts; nothing else can go wrong.
 */
#ifndef MADVTRACE_PAGEWALK_BPF_H
#define MADVTRACE_PAGEWALK_BPF_H

#include "emit.bpf.h"
#include "given_back.bpf.h"

/* Both found by user space before loading; 0 levels: no page walk. */
const volatile __u64 direct_map_base = 0;
const volatile __u32 page_table_levels = 0;
/* Frame of the huge zero page, which RSS does not count either; 0: none. */
const volatile __u64 huge_zero_frame = 0;
/* Page tables (2 MiB each) read at most on the traced thread's time, and by the
 * on-demand walker in one job. */
const volatile __u32 walk_table_limit = 128;
#define ON_DEMAND_TABLE_LIMIT 4096
/* Steps, over tables and over holes of 2 MiB, 1 GiB or 512 GiB. */
#define WALK_STEP_LIMIT 16384

struct entry_counts {
  __u64 resident;
  __u64 clean;
  __u64 swap;
};

/* A walk under way. It lives in a map, not on the stack: what comes out of a map
 * is unknown to the verifier, so the loop's states converge at once instead of
 * being followed address by address. */
struct walk {
  __u64 pgd;
  __u64 at; /* next address to look at */
  __u64 end;
  struct entry_counts counts;
  __u64 huge;
  __u32 tables_left; /* that may still be read */
  __u32 failed;
  __u32 write_pages;   /* a WIRE_PAGES for every chunk that holds anything */
  __u32 note_released; /* what is resident is being given back */
  __u32 first;         /* page of the chunk being counted */
  __u32 reserved;
  __u64 begin_ns;                        /* of the call, for its WIRE_PAGES */
  __u64 resident_bits[WIRE_CHUNK_WORDS]; /* of the chunk being counted */
  __u64 clean_bits[WIRE_CHUNK_WORDS];
  __u64 entry[TABLE_ENTRIES]; /* the page table being counted */
};

/* Two a CPU: the on-demand walker can be preempted by a traced call's walk, which
 * itself runs with preemption off. */
enum walk_slot { WALK_SLOT_CALL = 0, WALK_SLOT_ON_DEMAND = 1, WALK_SLOTS = 2 };

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, WALK_SLOTS);
  __type(key, __u32);
  __type(value, struct walk);
} walks SEC(".maps");

static long count_copied_entry(__u32 index, void* slot) {
  struct walk* walk = bpf_map_lookup_elem(&walks, slot);
  if (!walk || index >= TABLE_ENTRIES) return 1;
  struct entry_state state = state_of(walk->entry[index]);
  __u32 page = (walk->first + index) & (TABLE_ENTRIES - 1);
  walk->counts.resident += state.resident;
  walk->counts.clean += state.clean;
  walk->counts.swap += state.swap;
  walk->resident_bits[page >> 6] |= state.resident << (page & 63);
  walk->clean_bits[page >> 6] |= (state.clean | state.swap) << (page & 63);
  return 0;
}

/* Counts 64 entries of a whole copied table. Global functions: the verifier follows
 * their rounds once, not once per caller. */
__noinline int count_copied_word(__u32 slot, __u32 word) {
  struct walk* walk = bpf_map_lookup_elem(&walks, &slot);
  if (!walk || word >= WIRE_CHUNK_WORDS) return 0;
  struct entry_counts counts = {};
  __u64 resident_bits = 0, clean_bits = 0;
  __u32 first = word * 64;
#pragma clang loop unroll(disable)
  for (__u32 bit = 0; bit < 64; bit++) {
    struct entry_state state = state_of(walk->entry[(first + bit) & (TABLE_ENTRIES - 1)]);
    counts.resident += state.resident;
    counts.clean += state.clean;
    counts.swap += state.swap;
    resident_bits |= state.resident << bit;
    clean_bits |= (state.clean | state.swap) << bit;
  }
  walk->counts.resident += counts.resident;
  walk->counts.clean += counts.clean;
  walk->counts.swap += counts.swap;
  walk->resident_bits[word] = resident_bits;
  walk->clean_bits[word] = clean_bits;
  return 0;
}

static __always_inline __u64 table_of(__u64 entry) { return table_at(direct_map_base, entry); }

static __always_inline __u64 next_boundary(__u64 address, __u32 shift) { return ((address >> shift) + 1) << shift; }

static __always_inline void clear_bits(struct walk* walk) {
  for (int i = 0; i < WIRE_CHUNK_WORDS; i++) walk->resident_bits[i] = walk->clean_bits[i] = 0;
}

/* Counts the part of [walk->at, last) that one page table maps. */
static __always_inline void count_table(struct walk* walk, __u32* slot, __u64 pmd, __u64 last) {
  __u64 entries = (last - walk->at) >> PAGE_SHIFT;
  walk->tables_left--;
  if (entries == TABLE_ENTRIES) {
    walk->failed |= !!bpf_probe_read_kernel(walk->entry, sizeof(walk->entry), (void*)table_of(pmd));
    if (walk->failed) return;
    for (__u32 word = 0; word < WIRE_CHUNK_WORDS; word++) count_copied_word(*slot, word);
    return;
  }
  __u64 bytes = (entries & (TABLE_ENTRIES - 1)) * sizeof(__u64);
  __u64 first = walk->first & (TABLE_ENTRIES - 1);
  walk->failed |= !!bpf_probe_read_kernel(walk->entry, bytes, (void*)(table_of(pmd) + first * sizeof(__u64)));
  if (walk->failed) return;
  clear_bits(walk);
  bpf_loop(entries, count_copied_entry, slot, 0);
}

static __always_inline bool is_huge_zero_page(__u64 pmd) {
  return huge_zero_frame && huge_page_is_at(pmd, huge_zero_frame);
}

static __always_inline void count_huge(struct walk* walk, __u64 pmd, __u64 last) {
  __u64 pages = (last - walk->at) >> PAGE_SHIFT;
  __u64 resident = is_huge_zero_page(pmd) ? 0 : ~0UL;
  __u64 clean = is_dirty(pmd) ? 0 : resident;
  for (int i = 0; i < WIRE_CHUNK_WORDS; i++) {
    walk->resident_bits[i] = resident;
    walk->clean_bits[i] = clean;
  }
  walk->counts.resident += pages & resident;
  walk->huge += pages & resident;
  walk->counts.clean += pages & clean;
}

/* Which pages of [walk->at, last) are resident, of the chunk that was just counted. */
static __always_inline void write_pages(struct walk* walk, __u32 pid, __u64 last, __u32 flags) {
  struct wire_pages* record = reserve(sizeof(*record), WIRE_LOST_PAGES_RING);
  if (!record) return;
  fill_header(&record->header, sizeof(*record), WIRE_PAGES);
  if (flags & WIRE_PAGES_ON_DEMAND) {
    record->header.pid = pid;
    record->header.tid = 0;
  }
  record->begin_ns = walk->begin_ns;
  record->chunk_addr = (walk->at >> PMD_SHIFT) << PMD_SHIFT;
  record->first_page = walk->first;
  record->pages = (last - walk->at) >> PAGE_SHIFT;
  record->flags = flags;
  for (int i = 0; i < WIRE_CHUNK_WORDS; i++) {
    record->resident[i] = walk->resident_bits[i];
    record->clean[i] = walk->clean_bits[i];
  }
  submit(record);
}

static long walk_step(__u32 index, void* slot) {
  struct walk* walk = bpf_map_lookup_elem(&walks, slot);
  if (!walk || walk->failed) return 1;
  __u64 at = walk->at;
  if (at >= walk->end) return 1;

  struct descent descent = descend(direct_map_base, page_table_levels, walk->pgd, at);
  if (descent.shift != PMD_SHIFT) {
    walk->at = next_boundary(at, descent.shift);
    return 0;
  }
  __u64 pmd = descent.pmd;
  __u64 next = next_boundary(at, PMD_SHIFT);
  __u64 last = next < walk->end ? next : walk->end;
  __u64 resident_before = walk->counts.resident, swap_before = walk->counts.swap;
  walk->first = (at >> PAGE_SHIFT) & (TABLE_ENTRIES - 1);
  if (is_huge_page(pmd)) {
    count_huge(walk, pmd, last);
  } else if (is_page_table(pmd)) {
    if (!walk->tables_left) return 1;
    count_table(walk, slot, pmd, last);
  }
  int has_resident = walk->counts.resident != resident_before;
  if (walk->write_pages && (has_resident || walk->counts.swap != swap_before)) write_pages(walk, 0, last, 0);
  if (walk->note_released && has_resident) {
    note_released(at >> PMD_SHIFT, walk->resident_bits, walk->first, (last - at) >> PAGE_SHIFT);
  }
  walk->at = next;
  return 0;
}

/* Adds what [address, address + bytes) holds to `out`. `pgd` is the kernel address
 * of the top table. Global, so that it is verified once. */
__noinline int page_walk(__u64 pgd, __u64 address, __u64 bytes, __u32 slot, struct wire_walk* out) {
  struct walk* walk = bpf_map_lookup_elem(&walks, &slot);
  if (!walk || !out) return 0;
  __u64 begin_ns = bpf_ktime_get_ns();
  __u64 user_end = user_space_end(page_table_levels);
  __u64 end = (address + bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
  walk->pgd = pgd;
  walk->at = address & ~(PAGE_BYTES - 1);
  /* Whatever the program passed: never walk outside of user space. */
  walk->end = end > user_end || end < address ? user_end : end;
  walk->counts.resident = walk->counts.clean = walk->counts.swap = walk->huge = 0;
  clear_bits(walk);
  walk->tables_left = slot == WALK_SLOT_ON_DEMAND ? ON_DEMAND_TABLE_LIMIT : walk_table_limit;
  walk->failed = !pgd;
  bpf_loop(WALK_STEP_LIMIT, walk_step, &slot, 0);
  if (walk->failed) {
    count_loss(WIRE_LOST_WALK);
    return 0;
  }
  out->resident_pages += walk->counts.resident;
  out->clean_pages += walk->counts.clean;
  out->swap_pages += walk->counts.swap;
  out->huge_pages += walk->huge;
  out->flags |= WIRE_WALK_DONE;
  out->walked_end = walk->end;
  if (walk->at < walk->end) {
    out->walked_end = walk->at;
    out->flags |= WIRE_WALK_CAPPED;
  }
  out->walk_ns += (__u32)(bpf_ktime_get_ns() - begin_ns);
  return 0;
}

#endif
