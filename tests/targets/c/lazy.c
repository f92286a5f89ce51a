// SPDX-License-Identifier: Apache-2.0
// Releases memory as Go does, one step for each byte on standard input, and tells after
// each step, as one JSON line, what is then resident: the truth about released pages.
//
//   lazy [--mib N] [--threads N] [--seconds S] [--ops-per-second N] [--huge] [--as-set]
//
// Its pages are small, huge as far as the kernel has any (--huge), or what the kernel is set
// to give to a program that asks for neither (--as-set).
//
// The gate's byte makes it allocate and touch N MiB (default 32) in one mapping: so it
// can be put into a control group before it has anything. Then:
//   f  MADV_FREE of everything, in pieces of 64 KiB from the top down, like Go's scavenger
//   F  MADV_FREE of everything in one call
//   w  writes the first half again
//   d  MADV_DONTNEED of everything, in the same pieces
//   u  munmap of the second quarter
//   h  MADV_DONTNEED of the first half of every 2 MiB
//   k  fork: the child keeps all of it mapped and does nothing, until this one ends
//   s  nothing but to tell
//   t  --threads threads release (both advices), write and read ranges of 4 to 64 pages
//      at random, each in its own part of the mapping, for --seconds
//   x  ends
//
// {"step":S,"addr":A,"mapped_bytes":N,"resident_bytes":N,"smaps_lazyfree_bytes":N,
//  "lazy_bytes":N,"released_bytes":N,"written_again_bytes":N,"released_again_bytes":N}
//   resident_bytes        of the mapping, from pagemap, without zero pages
//   smaps_lazyfree_bytes  of the whole process; lags by what each processor keeps back
//   lazy_bytes            resident, released by MADV_FREE and neither written nor
//                         released since: smaps' number without the lag
// The others are sums over all steps, which hold if the kernel reclaimed nothing:
//   released_bytes        resident when MADV_FREE was called on them
//   written_again_bytes, released_again_bytes  the first thing that then happened to them
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "common.h"

enum { kMaxThreads = 16, kPiecePages = 16, kSmallestRangePages = 4, kLargestRangePages = 64 };
// The mapping begins off a page table's border, so that threads share page tables.
enum { kOffsetPages = 300 };
static const uint64_t kHugeBytes = (uint64_t)2 << 20;

// What the program did to a page. Reading an absent page maps the zero page, which
// RSS does not count; a lazily freed one is never read: it may have been reclaimed.
enum page_state { kAbsent, kZero, kWritten, kLazy, kUnmapped };

struct counts {
  uint64_t released_pages;
  uint64_t written_again_pages;
  uint64_t released_again_pages;
};

struct worker {
  pthread_t thread;
  uint64_t random;
  uint64_t first_page;
  uint64_t pages;
  struct counts counts;
};

static uint64_t mapped_mib = 32;
static uint64_t thread_count = 4;
static uint64_t seconds = 10;
static uint64_t ops_per_second = 2000;
static bool huge;
static bool as_set;

static uint64_t region;
static uint64_t page_count;
static uint8_t* states;
static struct counts own_counts;
static struct worker workers[kMaxThreads];
static sem_t start;
static sem_t done;
static int pagemap_fd = -1;
static bool no_zero_page;

static uint64_t page_at(uint64_t page) { return region + page * kPageBytes; }

static uint64_t map(uint64_t bytes) {
  const int64_t addr = raw_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  if (addr < 0) give_up("mmap answered %lld", (long long)addr);
  return (uint64_t)addr;
}

static void release(struct counts* counts, uint64_t first, uint64_t pages, int advice) {
  const int64_t ret = raw_madvise(page_at(first), pages * kPageBytes, advice);
  if (ret != 0) give_up("madvise answered %lld", (long long)ret);
  for (uint64_t page = first; page < first + pages; page++) {
    const bool resident = states[page] == kWritten || states[page] == kLazy;
    counts->released_again_pages += states[page] == kLazy;
    if (advice == MADV_FREE) {
      counts->released_pages += resident;
      // A zero page stays where it is.
      if (resident) states[page] = kLazy;
    } else {
      states[page] = kAbsent;
    }
  }
}

static void write_pages(struct counts* counts, uint64_t first, uint64_t pages) {
  for (uint64_t page = first; page < first + pages; page++) {
    touch_page(page_at(page));
    counts->written_again_pages += states[page] == kLazy;
    states[page] = kWritten;
  }
}

static void read_pages(uint64_t first, uint64_t pages) {
  for (uint64_t page = first; page < first + pages; page++) {
    if (states[page] == kLazy) continue;
    (void)read_page(page_at(page));
    if (states[page] == kAbsent) states[page] = no_zero_page ? kWritten : kZero;
  }
}

static void release_all(int advice) {
  for (uint64_t end = page_count; end > 0;) {
    const uint64_t pages = end < kPiecePages ? end : kPiecePages;
    end -= pages;
    release(&own_counts, end, pages, advice);
  }
}

static void release_half_of_each_huge_page(void) {
  const uint64_t pages = kHugeBytes / kPageBytes;
  for (uint64_t page = 0; page + pages <= page_count; page += pages) {
    release(&own_counts, page, pages / 2, MADV_DONTNEED);
  }
}

static void fork_idle_child(void) {
  int alive[2];  // its read end ends when this process does
  if (pipe2(alive, O_CLOEXEC) != 0) give_up("pipe2: errno %d", errno);
  const pid_t child = fork();
  if (child < 0) give_up("fork: errno %d", errno);
  if (child == 0) {
    char byte;
    close(alive[1]);
    _exit(read(alive[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(alive[0]);
}

static void unmap_second_quarter(void) {
  const uint64_t first = page_count / 4;
  if (raw_munmap(page_at(first), first * kPageBytes) != 0) give_up("munmap");
  for (uint64_t page = first; page < 2 * first; page++) states[page] = kUnmapped;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns) {
  const struct timespec until = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
  }
}

static uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void random_step(struct worker* worker) {
  uint64_t pages = kSmallestRangePages + next_random(&worker->random) % (kLargestRangePages - kSmallestRangePages + 1);
  const uint64_t first = worker->first_page + next_random(&worker->random) % (worker->pages - pages + 1);
  switch (next_random(&worker->random) % 8) {
    case 0:
    case 1:
    case 2:
      release(&worker->counts, first, pages, MADV_FREE);
      break;
    case 3:
      release(&worker->counts, first, pages, MADV_DONTNEED);
      break;
    case 4:
      read_pages(first, pages);
      break;
    default:
      write_pages(&worker->counts, first, pages);
  }
}

static void* work(void* argument) {
  struct worker* worker = argument;
  sem_wait(&start);
  const uint64_t begin_ns = now_ns();
  const uint64_t end_ns = begin_ns + seconds * 1000000000;
  // Paced: what is asked is whether every page is accounted for, not how many can be.
  for (uint64_t next_ns = begin_ns; next_ns < end_ns; next_ns += 1000000000 / ops_per_second) {
    sleep_until(next_ns);
    random_step(worker);
  }
  sem_post(&done);
  park();
}

static void start_threads(void) {
  for (uint64_t i = 0; i < thread_count; i++) {
    workers[i].random = 0x9e3779b97f4a7c15 + i;
    workers[i].pages = page_count / thread_count;
    workers[i].first_page = i * workers[i].pages;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) give_up("pthread_create");
  }
}

static void run_threads(void) {
  for (uint64_t i = 0; i < thread_count; i++) sem_post(&start);
  for (uint64_t i = 0; i < thread_count; i++) {
    while (sem_wait(&done) != 0) {
    }
  }
}

static uint64_t smaps_lazyfree_bytes(void) {
  char text[4096];
  const int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
  const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
  if (got <= 0) give_up("smaps_rollup: errno %d", errno);
  close(fd);
  text[got] = '\0';
  const char* line = strstr(text, "LazyFree:");
  unsigned long long kib = 0;
  if (line == NULL || sscanf(line, "LazyFree: %llu kB", &kib) != 1) give_up("smaps_rollup has no LazyFree");
  return kib * 1024;
}

static void tell(char step) {
  static uint64_t entries[512];
  static const uint64_t kPresent = (uint64_t)1 << 63;
  uint64_t resident = 0;
  uint64_t lazy = 0;
  for (uint64_t page = 0; page < page_count; page += 512) {
    const uint64_t pages = page_count - page < 512 ? page_count - page : 512;
    const size_t bytes = pages * sizeof(entries[0]);
    const ssize_t got = pread(pagemap_fd, entries, bytes, (off_t)(page_at(page) / kPageBytes * sizeof(entries[0])));
    if (got != (ssize_t)bytes) give_up("pagemap: errno %d", errno);
    for (uint64_t i = 0; i < pages; i++) {
      if ((entries[i] & kPresent) == 0) continue;
      resident += states[page + i] != kZero;
      lazy += states[page + i] == kLazy;
    }
  }
  struct counts sum = own_counts;
  for (uint64_t i = 0; i < thread_count; i++) {
    sum.released_pages += workers[i].counts.released_pages;
    sum.written_again_pages += workers[i].counts.written_again_pages;
    sum.released_again_pages += workers[i].counts.released_again_pages;
  }
  print_line(
      "{\"step\":\"%c\",\"addr\":\"0x%llx\",\"mapped_bytes\":%llu,\"resident_bytes\":%llu,"
      "\"smaps_lazyfree_bytes\":%llu,\"lazy_bytes\":%llu,\"released_bytes\":%llu,\"written_again_bytes\":%llu,"
      "\"released_again_bytes\":%llu}",
      step, (unsigned long long)region, (unsigned long long)(page_count * kPageBytes),
      (unsigned long long)(resident * kPageBytes), (unsigned long long)smaps_lazyfree_bytes(),
      (unsigned long long)(lazy * kPageBytes), (unsigned long long)(sum.released_pages * kPageBytes),
      (unsigned long long)(sum.written_again_pages * kPageBytes),
      (unsigned long long)(sum.released_again_pages * kPageBytes));
}

static void allocate(void) {
  page_count = mapped_mib << 20 >> 12;
  states = (uint8_t*)map(page_count);  // NOLINT
  region = map(page_count * kPageBytes + 2 * kHugeBytes);
  region = (region + kHugeBytes - 1) & ~(kHugeBytes - 1);
  if (!huge && !as_set) region += (uint64_t)kOffsetPages * kPageBytes;
  if (!as_set && raw_madvise(region, page_count * kPageBytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0) {
    give_up("hugepage");
  }
  write_pages(&own_counts, 0, page_count);
}

static void read_arguments(char** at) {
  for (; *at != NULL; at++) {
    if (strcmp(*at, "--mib") == 0) {
      mapped_mib = number(*++at, 1, UINT64_MAX);
    } else if (strcmp(*at, "--threads") == 0) {
      thread_count = number(*++at, 1, UINT64_MAX);
    } else if (strcmp(*at, "--seconds") == 0) {
      seconds = number(*++at, 1, UINT64_MAX);
    } else if (strcmp(*at, "--huge") == 0) {
      huge = true;
    } else if (strcmp(*at, "--as-set") == 0) {
      as_set = true;
    } else if (strcmp(*at, "--ops-per-second") == 0) {
      ops_per_second = number(*++at, 1, UINT64_MAX);
    } else {
      give_up("what is %s? See the top of lazy.c", *at);
    }
  }
  if (thread_count > kMaxThreads || mapped_mib > 4096) give_up("too many");
}

int main(int argc, char** argv) {
  (void)argc;
  read_arguments(argv + 1);
  // Else a touched page may bring 511 others along.
  if (!huge && !as_set && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) give_up("PR_SET_THP_DISABLE: errno %d", errno);
  no_zero_page = reading_takes_memory();
  pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap_fd < 0) give_up("pagemap: errno %d", errno);
  sem_init(&start, 0, 0);
  sem_init(&done, 0, 0);
  announce_and_wait();
  allocate();
  start_threads();
  tell('a');
  for (char step; read(STDIN_FILENO, &step, 1) == 1;) {
    switch (step) {
      case 'f':
        release_all(MADV_FREE);
        break;
      case 'F':
        release(&own_counts, 0, page_count, MADV_FREE);
        break;
      case 'k':
        fork_idle_child();
        break;
      case 'w':
        write_pages(&own_counts, 0, page_count / 2);
        break;
      case 'd':
        release_all(MADV_DONTNEED);
        break;
      case 'u':
        unmap_second_quarter();
        break;
      case 'h':
        release_half_of_each_huge_page();
        break;
      case 's':
        break;
      case 't':
        run_threads();
        break;
      case 'x':
        _exit(0);
      default:
        give_up("no such step: %c", step);
    }
    tell(step);
  }
  _exit(0);
}
