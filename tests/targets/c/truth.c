// SPDX-License-Identifier: Apache-2.0
// A program that knows what it did: every mmap, munmap, madvise and mremap that its
// worker threads make after the start gate, with what was resident in the range just
// before the call, as CSV. It is what events.csv is compared with.
//
//   truth --truth FILE [--workers N] [--faulters M] [--ops K] [--seed S]
//         [--arena-pages P] [--rate R] [--no-wait-exit] [--self-check]
//
// Columns: tid,seq,call,advice,addr,len_bytes,ret,resident_bytes,rss_delta_bytes,flags
//   resident_bytes   before the call: of the range, for MAP_FIXED of what it replaces,
//                    for mremap of the tail that goes; empty for a mapping that
//                    replaces nothing. The shared zero page is not resident.
//   rss_delta_bytes  what the call itself does to RSS
//   flags            "populate": the kernel filled the new mapping with pages
//
// Each worker owns an arena and keeps one state for each of its pages, so that the
// truth needs no look at the kernel's books; --self-check compares it with them
// (PAGEMAP_SCAN, Linux 6.7+) before every call. Faulters fault pages in and give them
// back as fast as they can: they move the RSS counters under the workers' feet.
//
// Arenas lie far below where mmap() without MAP_FIXED looks first, so no other
// mapping ever lands in a hole of an arena.
#include <pthread.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <time.h>

#include "common.h"

enum {
  kMaxWorkers = 4,
  kMaxFaulters = 2,
  kMaxArenaPages = 1 << 16,
  kLargestRangePages = 96,
  kSidePages = 64,
  kFaulterPages = 1024,
  kFaulterBurst = 256,
  kFaulterLog = 1 << 16,
  kSlack = 8,  // rows that one step may add after the last check
};

static const uint64_t kArenaBase = 0x200000000000;
static const uint64_t kArenaStride = (uint64_t)1 << 36;
static const int kReadWrite = PROT_READ | PROT_WRITE;
static const int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

enum call { kMmap, kMunmap, kMadvise, kMremap };
static const char* const kCallNames[] = {"mmap", "munmap", "madvise", "mremap"};

enum page_state { kUnmapped, kAbsent, kResident };

struct row {
  uint64_t addr;
  uint64_t bytes;
  int64_t ret;
  int64_t resident_pages;  // -1: replaces nothing, so none is known
  int64_t delta_pages;
  uint8_t call;
  uint8_t dontneed;
  uint8_t populate;
};

struct worker {
  pthread_t thread;
  int index;
  int tid;
  uint64_t random;
  uint64_t arena;
  uint64_t pages;
  uint8_t* state;  // one enum page_state a page
  uint64_t side;   // addresses for the mremap region, next to the arena
  struct row* rows;
  uint64_t row_count;
  uint64_t row_limit;
};

struct options {
  int workers;
  int faulters;
  uint64_t ops;
  uint64_t seed;
  uint64_t arena_pages;
  uint64_t rate;
  const char* truth;
  bool wait_exit;
  bool self_check;
};

static struct options options = {.workers = 1, .ops = 1000, .seed = 1, .arena_pages = 4096, .wait_exit = true};
static sem_t thread_ready;
static sem_t gate;
static sem_t worker_done;
static sem_t faulter_done;
static _Atomic bool stop_faulters;
static int pagemap_fd = -1;
static bool no_zero_page;

static uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}
static uint64_t below(struct worker* w, uint64_t limit) { return next_random(&w->random) % limit; }
static bool one_in(struct worker* w, uint64_t n) { return below(w, n) == 0; }

// include/uapi/linux/fs.h of 6.7; Debian 12's headers are older.
struct scan_region {
  uint64_t start, end, categories;
};
struct scan_argument {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_PAGEMAP _IOWR('f', 16, struct scan_argument)
static const uint64_t kScanPresent = 1 << 3;
static const uint64_t kScanZeroPage = 1 << 5;

static int64_t scan_resident_pages(uint64_t begin, uint64_t end) {
  struct scan_region regions[kMaxArenaPages / 512];
  struct scan_argument argument = {.size = sizeof(argument), .start = begin, .end = end};
  argument.vec = (uint64_t)(uintptr_t)regions;
  argument.vec_len = sizeof(regions) / sizeof(regions[0]);
  argument.category_inverted = kScanZeroPage;
  argument.category_mask = kScanPresent | kScanZeroPage;
  argument.return_mask = kScanPresent;
  const int found = ioctl(pagemap_fd, SCAN_PAGEMAP, &argument);
  if (found < 0 || argument.walk_end != end) give_up("PAGEMAP_SCAN failed, errno %d", errno);
  int64_t pages = 0;
  for (int i = 0; i < found; i++) pages += (int64_t)((regions[i].end - regions[i].start) / kPageBytes);
  return pages;
}

static void check_against_kernel(uint64_t addr, uint64_t bytes, int64_t resident_pages) {
  if (pagemap_fd < 0 || bytes == 0) return;
  const uint64_t mask = kPageBytes - 1;
  const int64_t scanned = scan_resident_pages(addr & ~mask, (addr + bytes + mask) & ~mask);
  if (scanned != resident_pages) {
    give_up("self-check: 0x%llx+%llu has %lld resident pages, the truth says %lld", (unsigned long long)addr,
            (unsigned long long)bytes, (long long)scanned, (long long)resident_pages);
  }
}

static void expect(bool as_expected, const char* what, int64_t ret) {
  if (!as_expected) give_up("%s answered %lld", what, (long long)ret);
}

static struct row* add_row(struct worker* w, enum call call, uint64_t addr, uint64_t bytes, int64_t resident_pages) {
  if (w->row_count >= w->row_limit) give_up("the log is full");
  struct row* row = &w->rows[w->row_count++];
  *row = (struct row){.addr = addr, .bytes = bytes, .resident_pages = resident_pages, .call = (uint8_t)call};
  return row;
}

// A range of pages inside the arena.
struct range {
  uint64_t first;
  uint64_t count;
};

static struct range random_range(struct worker* w) {
  const uint64_t largest = w->pages < kLargestRangePages ? w->pages : kLargestRangePages;
  struct range range = {.count = 1 + below(w, largest)};
  range.first = below(w, w->pages - range.count + 1);
  return range;
}

static uint64_t address(const struct worker* w, uint64_t page) { return w->arena + page * kPageBytes; }

// Sometimes a length that is not a multiple of a page: the kernel rounds it up.
static uint64_t length(struct worker* w, struct range range) {
  const uint64_t bytes = range.count * kPageBytes;
  return one_in(w, 8) ? bytes - below(w, kPageBytes) : bytes;
}

static int64_t count_state(const struct worker* w, struct range range, enum page_state state) {
  int64_t count = 0;
  for (uint64_t i = range.first; i < range.first + range.count; i++) count += w->state[i] == state;
  return count;
}

static void set_state(struct worker* w, struct range range, enum page_state state) {
  memset(w->state + range.first, (int)state, range.count);
}

static void touch(struct worker* w, struct range range) {
  for (uint64_t i = range.first; i < range.first + range.count; i++) {
    if (w->state[i] == kUnmapped) continue;
    touch_page(address(w, i));
    w->state[i] = kResident;
  }
}

// Every second page at most: reading what was never written maps the zero page.
static void read_touch(struct worker* w, struct range range) {
  for (uint64_t i = range.first; i < range.first + range.count; i += 1 + below(w, 2)) {
    if (w->state[i] == kUnmapped) continue;
    (void)read_page(address(w, i));
    if (no_zero_page) w->state[i] = kResident;
  }
}

static void dontneed(struct worker* w, struct range range) {
  const uint64_t addr = address(w, range.first);
  const uint64_t bytes = length(w, range);
  const int64_t resident = count_state(w, range, kResident);
  const bool hole = count_state(w, range, kUnmapped) != 0;
  check_against_kernel(addr, bytes, resident);
  struct row* row = add_row(w, kMadvise, addr, bytes, resident);
  row->dontneed = 1;
  row->ret = raw_madvise(addr, bytes, MADV_DONTNEED);
  // Over a hole: ENOMEM, after the mapped parts were done (mm/madvise.c).
  expect(row->ret == (hole ? -ENOMEM : 0), "madvise(MADV_DONTNEED)", row->ret);
  row->delta_pages = -resident;
  for (uint64_t i = range.first; i < range.first + range.count; i++) {
    if (w->state[i] == kResident) w->state[i] = kAbsent;
  }
}

static void unmap(struct worker* w, struct range range) {
  const uint64_t addr = address(w, range.first);
  const uint64_t bytes = length(w, range);
  const int64_t resident = count_state(w, range, kResident);
  check_against_kernel(addr, bytes, resident);
  struct row* row = add_row(w, kMunmap, addr, bytes, resident);
  row->ret = raw_munmap(addr, bytes);
  expect(row->ret == 0, "munmap", row->ret);
  row->delta_pages = -resident;
  set_state(w, range, kUnmapped);
}

static void map_over(struct worker* w, struct range range, bool populate) {
  const uint64_t addr = address(w, range.first);
  const uint64_t bytes = length(w, range);
  const int64_t resident = count_state(w, range, kResident);
  check_against_kernel(addr, bytes, resident);
  struct row* row = add_row(w, kMmap, addr, bytes, resident);
  row->populate = populate;
  row->ret = raw_mmap(addr, bytes, kReadWrite, kAnonymous | MAP_FIXED | (populate ? MAP_POPULATE : 0), -1);
  expect(row->ret == (int64_t)addr, "mmap(MAP_FIXED)", row->ret);
  row->delta_pages = (populate ? (int64_t)range.count : 0) - resident;
  set_state(w, range, populate ? kResident : kAbsent);
}

// Fails before it does anything; the range is the pages that it touches in part.
static void misaligned(struct worker* w, struct range range, enum call call) {
  if (range.first + range.count >= w->pages) return;
  const uint64_t addr = address(w, range.first) + 1 + below(w, kPageBytes - 1);
  const uint64_t bytes = range.count * kPageBytes;
  const struct range touched = {.first = range.first, .count = range.count + 1};
  const int64_t resident = count_state(w, touched, kResident);
  check_against_kernel(addr, bytes, resident);
  struct row* row = add_row(w, call, addr, bytes, resident);
  row->dontneed = call == kMadvise;
  row->ret = call == kMadvise ? raw_madvise(addr, bytes, MADV_DONTNEED) : raw_munmap(addr, bytes);
  expect(row->ret == -EINVAL, "a misaligned call", row->ret);
}

static void nothing_at_all(struct worker* w, struct range range) {
  const uint64_t addr = address(w, range.first);
  struct row* row = add_row(w, kMadvise, addr, 0, 0);
  row->dontneed = 1;
  row->ret = raw_madvise(addr, 0, MADV_DONTNEED);
  expect(row->ret == 0, "madvise of nothing", row->ret);
}

// PROT_NONE pages are resident like any others.
static void release_protected(struct worker* w, struct range range) {
  if (count_state(w, range, kUnmapped) != 0) return;
  touch(w, range);
  void* addr = (void*)address(w, range.first);  // NOLINT
  if (mprotect(addr, range.count * kPageBytes, PROT_NONE) != 0) give_up("mprotect: errno %d", errno);
  if (one_in(w, 2)) {
    unmap(w, range);
  } else {
    dontneed(w, range);
    if (mprotect(addr, range.count * kPageBytes, kReadWrite) != 0) give_up("mprotect: errno %d", errno);
  }
}

// Somewhere of the kernel's choice, and away again.
static void small_region(struct worker* w) {
  const uint64_t pages = 1 + below(w, kSidePages);
  const uint64_t bytes = pages * kPageBytes;
  const bool populate = one_in(w, 4);
  struct row* row = add_row(w, kMmap, 0, bytes, -1);
  row->populate = populate;
  row->ret = raw_mmap(0, bytes, kReadWrite, kAnonymous | (populate ? MAP_POPULATE : 0), -1);
  expect(row->ret > 0 && (uint64_t)row->ret > kArenaBase + kArenaStride * (kMaxWorkers + kMaxFaulters), "mmap",
         row->ret);
  row->delta_pages = populate ? (int64_t)pages : 0;
  const uint64_t addr = (uint64_t)row->ret;
  const uint64_t touched = populate ? pages : below(w, pages + 1);
  touch_range(addr, touched * kPageBytes);
  check_against_kernel(addr, bytes, (int64_t)touched);
  row = add_row(w, kMunmap, addr, bytes, (int64_t)touched);
  row->ret = raw_munmap(addr, bytes);
  expect(row->ret == 0, "munmap", row->ret);
  row->delta_pages = -(int64_t)touched;
}

static void shrink_by_mremap(struct worker* w) {
  const uint64_t pages = 2 + below(w, kSidePages - 1);
  const uint64_t kept = 1 + below(w, pages - 1);
  const uint64_t bytes = pages * kPageBytes;
  struct row* row = add_row(w, kMmap, w->side, bytes, 0);
  row->ret = raw_mmap(w->side, bytes, kReadWrite, kAnonymous | MAP_FIXED, -1);
  expect(row->ret == (int64_t)w->side, "mmap(MAP_FIXED)", row->ret);
  const uint64_t touched = 1 + below(w, pages);
  touch_range(w->side, touched * kPageBytes);
  const int64_t in_tail = touched > kept ? (int64_t)(touched - kept) : 0;
  check_against_kernel(w->side + kept * kPageBytes, (pages - kept) * kPageBytes, in_tail);
  row = add_row(w, kMremap, w->side, bytes, in_tail);
  row->ret = raw_mremap(w->side, bytes, kept * kPageBytes, 0, 0);
  expect(row->ret == (int64_t)w->side, "mremap", row->ret);
  row->delta_pages = -in_tail;
  const int64_t left = (int64_t)touched - in_tail;
  row = add_row(w, kMunmap, w->side, kept * kPageBytes, left);
  row->ret = raw_munmap(w->side, kept * kPageBytes);
  expect(row->ret == 0, "munmap", row->ret);
  row->delta_pages = -left;
}

// A range with a hole in its middle, its edges touched.
static void over_a_hole(struct worker* w, struct range range) {
  if (range.count < 3) return;
  touch(w, range);
  const uint64_t third = range.count / 3;
  unmap(w, (struct range){.first = range.first + third, .count = third});
  dontneed(w, range);
}

static void one_step(struct worker* w) {
  const struct range range = random_range(w);
  const uint64_t die = below(w, 100);
  if (die < 25) {
    touch(w, range);
  } else if (die < 32) {
    read_touch(w, range);
  } else if (die < 56) {
    if (one_in(w, 2)) touch(w, range);
    dontneed(w, range);
  } else if (die < 66) {
    unmap(w, range);
  } else if (die < 78) {
    map_over(w, range, false);
  } else if (die < 82) {
    map_over(w, range, true);
  } else if (die < 86) {
    over_a_hole(w, range);
  } else if (die < 89) {
    misaligned(w, range, one_in(w, 3) ? kMunmap : kMadvise);
  } else if (die < 93) {
    small_region(w);
  } else if (die < 96) {
    shrink_by_mremap(w);
  } else if (die < 99) {
    release_protected(w, range);
  } else {
    nothing_at_all(w, range);
  }
}

static uint64_t mono_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void keep_pace(const struct worker* w, uint64_t begin_ns) {
  if (options.rate == 0) return;
  const uint64_t due_ns = begin_ns + w->row_count * 1000000000u * (uint64_t)options.workers / options.rate;
  const struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000u), .tv_nsec = (long)(due_ns % 1000000000u)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
  }
}

static void take(sem_t* semaphore, int count) {
  while (count > 0) {
    if (sem_wait(semaphore) == 0) count--;
  }
}

static void wait_for_gate(struct worker* w) {
  w->tid = own_tid();
  sem_post(&thread_ready);
  take(&gate, 1);
}

static void* work(void* argument) {
  struct worker* w = argument;
  wait_for_gate(w);
  const uint64_t begin_ns = mono_ns();
  while (w->row_count < options.ops) {
    one_step(w);
    keep_pace(w, begin_ns);
  }
  sem_post(&worker_done);
  park();
}

static void* fault(void* argument) {
  struct worker* w = argument;
  wait_for_gate(w);
  while (!atomic_load(&stop_faulters)) {
    const struct range burst = {.first = below(w, w->pages - kFaulterBurst), .count = kFaulterBurst};
    touch(w, burst);
    const struct range given_back = {.first = burst.first + below(w, kFaulterBurst / 2), .count = kFaulterBurst / 2};
    if (w->row_count + kSlack < w->row_limit) dontneed(w, given_back);
  }
  sem_post(&faulter_done);
  park();
}

// Memory for the logs: touched before the gate, so that writing them faults nothing in.
static void* get_memory(uint64_t bytes) {
  void* memory = mmap(NULL, bytes, kReadWrite, kAnonymous | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) give_up("cannot map %llu bytes", (unsigned long long)bytes);
  return memory;
}

static void prepare(struct worker* w, int index, uint64_t pages, uint64_t row_limit) {
  w->index = index;
  w->random = (options.seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)index * 0xbf58476d1ce4e5b9u;
  if (w->random == 0) w->random = 1;
  w->pages = pages;
  w->row_limit = row_limit;
  w->rows = get_memory(row_limit * sizeof(struct row));
  w->state = get_memory(pages);
  w->arena = kArenaBase + (uint64_t)index * kArenaStride;
  w->side = w->arena + kArenaStride / 2;
  const uint64_t bytes = pages * kPageBytes;
  const int reserve = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  if (raw_mmap(w->arena, bytes, PROT_NONE, reserve, -1) != (int64_t)w->arena ||
      raw_mmap(w->arena, bytes, kReadWrite, kAnonymous | MAP_FIXED, -1) != (int64_t)w->arena ||
      raw_madvise(w->arena, bytes, MADV_NOHUGEPAGE) != 0) {
    give_up("cannot make the arena at 0x%llx: errno %d", (unsigned long long)w->arena, errno);
  }
  set_state(w, (struct range){.count = pages}, kAbsent);
}

static void write_rows(FILE* file, const struct worker* w) {
  for (uint64_t i = 0; i < w->row_count; i++) {
    const struct row* row = &w->rows[i];
    fprintf(file, "%d,%llu,%s,%s,0x%llx,%llu,%lld,", w->tid, (unsigned long long)i, kCallNames[row->call],
            row->dontneed ? "MADV_DONTNEED" : "", (unsigned long long)row->addr, (unsigned long long)row->bytes,
            (long long)row->ret);
    if (row->resident_pages >= 0) fprintf(file, "%lld", (long long)row->resident_pages * kPageBytes);
    fprintf(file, ",%lld,%s\n", (long long)row->delta_pages * kPageBytes, row->populate ? "populate" : "");
  }
}

static uint64_t write_truth(const struct worker* workers, int count) {
  FILE* file = fopen(options.truth, "w");
  if (file == NULL) give_up("cannot write %s: errno %d", options.truth, errno);
  fputs("tid,seq,call,advice,addr,len_bytes,ret,resident_bytes,rss_delta_bytes,flags\n", file);
  uint64_t rows = 0;
  for (int i = 0; i < count; i++) {
    write_rows(file, &workers[i]);
    rows += workers[i].row_count;
  }
  if (fclose(file) != 0) give_up("cannot write %s: errno %d", options.truth, errno);
  return rows;
}

static void parse(char** arguments) {
  for (char** at = arguments; *at != NULL; at++) {
    const char* name = *at;
    if (strcmp(name, "--no-wait-exit") == 0) {
      options.wait_exit = false;
    } else if (strcmp(name, "--self-check") == 0) {
      options.self_check = true;
    } else if (strcmp(name, "--workers") == 0) {
      options.workers = (int)number(*++at, 1, kMaxWorkers);
    } else if (strcmp(name, "--faulters") == 0) {
      options.faulters = (int)number(*++at, 0, kMaxFaulters);
    } else if (strcmp(name, "--ops") == 0) {
      options.ops = number(*++at, 1, 10000000);
    } else if (strcmp(name, "--seed") == 0) {
      options.seed = number(*++at, 0, UINT32_MAX);
    } else if (strcmp(name, "--arena-pages") == 0) {
      options.arena_pages = number(*++at, kLargestRangePages, kMaxArenaPages);
    } else if (strcmp(name, "--rate") == 0) {
      options.rate = number(*++at, 0, 10000000);
    } else if (strcmp(name, "--truth") == 0) {
      options.truth = *++at;
      if (options.truth == NULL) give_up("--truth FILE");
    } else {
      give_up("what is %s? See the top of truth.c", name);
    }
  }
  if (options.truth == NULL) give_up("--truth FILE is needed");
}

int main(int argc, char** argv) {
  (void)argc;
  parse(argv + 1);
  // Re-made mappings do not inherit MADV_NOHUGEPAGE.
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) give_up("PR_SET_THP_DISABLE: errno %d", errno);
  no_zero_page = reading_takes_memory();
  if (options.self_check) {
    pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap_fd < 0) give_up("/proc/self/pagemap: errno %d", errno);
  }

  sem_init(&thread_ready, 0, 0);
  sem_init(&gate, 0, 0);
  sem_init(&worker_done, 0, 0);
  sem_init(&faulter_done, 0, 0);
  static struct worker workers[kMaxWorkers + kMaxFaulters];
  const int count = options.workers + options.faulters;
  for (int i = 0; i < count; i++) {
    const bool is_worker = i < options.workers;
    prepare(&workers[i], i, is_worker ? options.arena_pages : kFaulterPages,
            is_worker ? options.ops + kSlack : kFaulterLog);
    if (pthread_create(&workers[i].thread, NULL, is_worker ? work : fault, &workers[i]) != 0) give_up("pthread_create");
  }
  take(&thread_ready, count);

  announce_and_wait();
  for (int i = 0; i < count; i++) sem_post(&gate);
  take(&worker_done, options.workers);
  atomic_store(&stop_faulters, true);
  take(&faulter_done, options.faulters);

  const uint64_t rows = write_truth(workers, count);
  print_line("{\"done\":true,\"pid\":%d,\"rows\":%llu}", (int)getpid(), (unsigned long long)rows);
  if (options.wait_exit) wait_for_byte();
  _exit(0);
}
