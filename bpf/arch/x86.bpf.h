/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Everything that the BPF programs know of the machine: its registers, the bits of
 * its page-table entries, and the descent through its page tables. x86-64, four or
 * five levels, 4 KiB pages.
 *
 * Bits: arch/x86/include/asm/pgtable_types.h.
 */
#ifndef MADVTRACE_ARCH_X86_BPF_H
#define MADVTRACE_ARCH_X86_BPF_H

/* The registers of a thread at a breakpoint or in a system call; only those that are used. */
struct pt_regs {
  unsigned long bp;
  unsigned long di;
  unsigned long ip;
  unsigned long cs;
} __attribute__((preserve_access_index));

/* uapi/linux/bpf_perf_event.h. The registers come first: 21 words. */
struct bpf_perf_event_data {
  __u64 registers[21];
  __u64 sample_period;
  __u64 addr;
};

enum { USER32_CS = 0x23 }; /* asm/segment.h: the code of a 32-bit program */

static __always_inline bool runs_32_bit_code(const struct pt_regs* registers) { return registers->cs == USER32_CS; }
static __always_inline __u64 instruction_pointer(const struct pt_regs* registers) { return registers->ip; }
static __always_inline __u64 frame_pointer(const struct pt_regs* registers) { return registers->bp; }
/* Of a Go function (ABIInternal, Go 1.17+): its fourth integer argument. */
static __always_inline __u64 go_fourth_argument(const struct pt_regs* registers) { return registers->di; }

#define PAGE_SHIFT 12
#define PAGE_BYTES (1UL << PAGE_SHIFT)
#define PMD_SHIFT 21
#define PUD_SHIFT 30
#define P4D_SHIFT_4 39 /* with four levels the PGD stands here */
#define PGD_SHIFT_5 48
#define TABLE_ENTRIES 512

#define ENTRY_PRESENT 0x1UL
#define ENTRY_HUGE 0x80UL      /* _PAGE_PSE */
#define ENTRY_PROTNONE 0x100UL /* present for the kernel, not for the CPU */
#define ENTRY_FRAME 0x000ffffffffff000UL

/* _PAGE_DIRTY, and _PAGE_SAVED_DIRTY where 6.6+ keeps the bit of a page that was
 * write-protected, by fork for one. Before 6.6 bit 58 is _PAGE_DEVMAP, never set in
 * anonymous memory. */
#define ENTRY_DIRTY_BIT 6
#define ENTRY_SAVED_DIRTY_BIT 58
#define ENTRY_DIRTY ((1UL << ENTRY_DIRTY_BIT) | (1UL << ENTRY_SAVED_DIRTY_BIT))
/* _PAGE_SPECIAL: the zero page and raw frames, which RSS does not count. */
#define ENTRY_SPECIAL_BIT 9
/* A non-present entry is a page in swap if its type, the top five bits, is below
 * MAX_SWAPFILES (linux/swap.h); above are migration entries, poison, markers. */
#define ENTRY_SWAP_TYPE_SHIFT 59
#define SWAP_TYPES_AT_LEAST 23

#define opaque(v) asm volatile("" : "+r"(v))

/* One entry, without branches: with data-dependent branches the verifier would follow
 * every path through 512 of them. */
struct entry_state {
  __u64 resident; /* each 0 or 1 */
  __u64 clean;
  __u64 swap;
};

static __always_inline struct entry_state state_of(__u64 entry) {
  __u64 present = (entry | (entry >> 8)) & 1;
  __u64 resident = present & ~(entry >> ENTRY_SPECIAL_BIT);
  __u64 dirty = (entry >> ENTRY_DIRTY_BIT) | (entry >> ENTRY_SAVED_DIRTY_BIT);
  __u64 used = entry | -entry;
  opaque(used);
  __u64 real_swap = (entry >> ENTRY_SWAP_TYPE_SHIFT) - SWAP_TYPES_AT_LEAST;
  opaque(real_swap);
  return (struct entry_state){
      .resident = resident,
      .clean = resident & ~dirty,
      .swap = (present ^ 1) & (used >> 63) & (real_swap >> 63),
  };
}

/* What a PMD stands for: one huge page, a page table, or (neither) nothing. */
static __always_inline bool is_huge_page(__u64 pmd) {
  return (pmd & ENTRY_HUGE) && (pmd & (ENTRY_PRESENT | ENTRY_PROTNONE));
}
static __always_inline bool is_page_table(__u64 pmd) { return (pmd & ENTRY_PRESENT) && !(pmd & ENTRY_HUGE); }

static __always_inline bool is_dirty(__u64 entry) { return entry & ENTRY_DIRTY; }

/* Whether a huge page begins at this frame. Bit 12 of its entry is the PAT bit, and no
 * part of the frame. */
static __always_inline bool huge_page_is_at(__u64 pmd, __u64 frame) {
  return ((pmd & ENTRY_FRAME) >> PMD_SHIFT) == (frame >> (PMD_SHIFT - PAGE_SHIFT));
}

/* The first address behind user space. */
static __always_inline __u64 user_space_end(__u32 levels) { return levels == 5 ? 1UL << 56 : 1UL << 47; }

static __always_inline __u64 read_entry(__u64 table, __u64 address, __u32 shift) {
  __u64 entry = 0;
  bpf_probe_read_kernel(&entry, sizeof(entry),
                        (void*)(table + ((address >> shift) & (TABLE_ENTRIES - 1)) * sizeof(entry)));
  return entry;
}

/* Where the table lies that an entry points to. `base`: of the direct map. */
static __always_inline __u64 table_at(__u64 base, __u64 entry) { return base + (entry & ENTRY_FRAME); }

struct descent {
  __u64 pmd;   /* the entry for the 2 MiB around the address; of use if shift is PMD_SHIFT */
  __u32 shift; /* of the level that it has come down to: above PMD_SHIFT there is nothing below */
};

/* The only way down the page tables, from the top one at `pgd` to the PMD of an address.
 * 1 GiB pages are hugetlbfs, which is not in RSS: it ends above them as above a hole. */
static __always_inline struct descent descend(__u64 base, __u32 levels, __u64 pgd, __u64 address) {
  __u64 table = pgd;
  __u64 entry;
  if (levels == 5) {
    entry = read_entry(table, address, PGD_SHIFT_5);
    if (!(entry & ENTRY_PRESENT)) return (struct descent){.shift = PGD_SHIFT_5};
    table = table_at(base, entry);
  }
  entry = read_entry(table, address, P4D_SHIFT_4);
  if (!(entry & ENTRY_PRESENT)) return (struct descent){.shift = P4D_SHIFT_4};
  entry = read_entry(table_at(base, entry), address, PUD_SHIFT);
  if (!(entry & ENTRY_PRESENT) || (entry & ENTRY_HUGE)) return (struct descent){.shift = PUD_SHIFT};
  return (struct descent){.pmd = read_entry(table_at(base, entry), address, PMD_SHIFT), .shift = PMD_SHIFT};
}

#endif
