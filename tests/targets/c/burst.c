// SPDX-License-Identifier: Apache-2.0
// Releases memory faster than anybody can follow, and counts its own calls: one step for
// each byte on standard input, and one JSON line of truth after each.
//
//   burst [--threads N] [--calls N] [--milliseconds T] [--calls-per-second N]
//         [--heap-mib N] [--piece-kib N] [--alternate]
//
// Before the gate there are N threads (default 1), each with a few pages of its own, and a
// heap of so many MiB (default none) with all of it touched. Then:
//   b  each thread touches a page of its own and gives it back (MADV_DONTNEED), again and
//      again: N calls, or as many as it can in T ms if --calls is not given; at most so
//      many a second if it is said how many (of each thread)
//   k  the first thread makes calls that are known to the byte
//   f  MADV_FREE of the heap, in pieces (default 64 KiB) from the top down, at that pace;
//      --alternate: of every second piece, so that no two of them touch
//   w  writes to every page of the heap
//   x  ends
//
// {"step":"b","calls_made":N,"wrong":N,"wall_ns":N,"p50_ns":N,"p99_ns":N,"max_ns":N}
//   wrong   pages that were given back and not empty, or kept and not what they were
//   p50_ns  and so on: of the madvise() calls of all threads, as they see it
// {"step":"k","unlisted_tids":[],"calls":[...]}, as script.c tells them
// {"step":"f","released_bytes":N,"p50_ns":N}
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "common.h"

enum {
  kMaxThreads = 512,
  kStackBytes = 64 << 10,
  kOwnPages = 4,
  kKnownPages = 64,
  kChecksEvery = 16,
  kAtOnce = 64,
  // Eight to the octave, up to 2^40 ns.
  kBucketsOfOctave = 8,
  kBuckets = 41 * kBucketsOfOctave,
};
static const int kReadWrite = PROT_READ | PROT_WRITE;
static const int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
static const char kKept = 0x5a;
static const uint64_t kNsOfSecond = 1000000000;

struct worker {
  pthread_t thread;
  uint64_t own;  // its pages: the first is given back, the second is kept
  uint64_t calls_made;
  uint64_t wrong;
  uint64_t max_ns;
  uint32_t took[kBuckets];
};

static uint64_t thread_count = 1;
static uint64_t calls_wanted;
static uint64_t milliseconds = 1000;
static uint64_t calls_per_second;
static uint64_t heap_bytes;
static uint64_t piece_bytes = 64 << 10;
static bool alternate;

static struct worker workers[kMaxThreads];
static uint64_t heap;
static uint64_t known;
static sem_t start;
static sem_t done;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * kNsOfSecond + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns) {
  const struct timespec until = {.tv_sec = (time_t)(ns / kNsOfSecond), .tv_nsec = (long)(ns % kNsOfSecond)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
  }
}

static uint64_t map(uint64_t bytes) {
  const int64_t addr = raw_mmap(0, bytes, kReadWrite, kAnonymous | MAP_NORESERVE, -1);
  if (addr < 0) give_up("mmap answered %lld", (long long)addr);
  return (uint64_t)addr;
}

static unsigned bucket_of(uint64_t ns) {
  if (ns < kBucketsOfOctave) return (unsigned)ns;
  const unsigned octave = 63 - (unsigned)__builtin_clzll(ns);
  const unsigned bucket = (octave - 2) * kBucketsOfOctave + (unsigned)(ns >> (octave - 3) & (kBucketsOfOctave - 1));
  return bucket < kBuckets ? bucket : kBuckets - 1;
}

// The most that falls into it.
static uint64_t end_of_bucket(unsigned bucket) {
  if (bucket < kBucketsOfOctave) return bucket;
  const unsigned octave = bucket / kBucketsOfOctave + 2;
  return ((uint64_t)(kBucketsOfOctave + bucket % kBucketsOfOctave + 1) << (octave - 3)) - 1;
}

static void one_call(struct worker* worker) {
  touch_page(worker->own);
  const uint64_t begin_ns = now_ns();
  if (raw_madvise(worker->own, kPageBytes, MADV_DONTNEED) != 0) give_up("madvise");
  const uint64_t took_ns = now_ns() - begin_ns;
  worker->took[bucket_of(took_ns)]++;
  if (took_ns > worker->max_ns) worker->max_ns = took_ns;
  if (worker->calls_made++ % kChecksEvery == 0) {
    worker->wrong += read_page(worker->own) != 0;
    worker->wrong += read_page(worker->own + kPageBytes) != kKept;
  }
}

static void take(sem_t* semaphore, uint64_t count) {
  while (count > 0) {
    if (sem_wait(semaphore) == 0) count--;
  }
}

__attribute__((noreturn)) static void* work(void* argument) {
  struct worker* worker = argument;
  for (;;) {
    take(&start, 1);
    const uint64_t begin_ns = now_ns();
    // Not all of them at the same moment, and so in each other's way.
    const uint64_t share_ns = calls_per_second == 0 ? 0 : kNsOfSecond / calls_per_second / thread_count;
    const uint64_t first_ns = begin_ns + share_ns * (uint64_t)(worker - workers);
    if (share_ns != 0) sleep_until(first_ns);
    const uint64_t end_ns = calls_wanted == 0 ? begin_ns + milliseconds * 1000000 : UINT64_MAX;
    worker->calls_made = 0;
    worker->wrong = 0;
    worker->max_ns = 0;
    memset(worker->took, 0, sizeof(worker->took));
    while (calls_wanted == 0 ? now_ns() < end_ns : worker->calls_made < calls_wanted) {
      one_call(worker);
      if (calls_per_second != 0) sleep_until(first_ns + worker->calls_made * kNsOfSecond / calls_per_second);
    }
    sem_post(&done);
  }
}

static uint64_t quantile_ns(uint64_t calls, double quantile) {
  const uint64_t rank = (uint64_t)((double)calls * quantile);
  uint64_t before = 0;
  for (unsigned bucket = 0; bucket < kBuckets; bucket++) {
    for (uint64_t i = 0; i < thread_count; i++) before += workers[i].took[bucket];
    if (before > rank) return end_of_bucket(bucket);
  }
  return 0;
}

static void burst(void) {
  const uint64_t begin_ns = now_ns();
  for (uint64_t i = 0; i < thread_count; i++) sem_post(&start);
  take(&done, thread_count);
  const uint64_t wall_ns = now_ns() - begin_ns;
  uint64_t calls = 0;
  uint64_t wrong = 0;
  uint64_t max_ns = 0;
  for (uint64_t i = 0; i < thread_count; i++) {
    calls += workers[i].calls_made;
    wrong += workers[i].wrong;
    if (workers[i].max_ns > max_ns) max_ns = workers[i].max_ns;
  }
  print_line(
      "{\"step\":\"b\",\"calls_made\":%llu,\"wrong\":%llu,\"wall_ns\":%llu,\"p50_ns\":%llu,\"p99_ns\":%llu,"
      "\"max_ns\":%llu}",
      (unsigned long long)calls, (unsigned long long)wrong, (unsigned long long)wall_ns,
      (unsigned long long)quantile_ns(calls, 0.5), (unsigned long long)quantile_ns(calls, 0.99),
      (unsigned long long)max_ns);
}

// One of the known calls, in the form of script.c.
static size_t tell_call(char* text, size_t room, const char* call, const char* advice, uint64_t pages, int64_t ret,
                        int64_t resident_pages, int64_t delta_pages) {
  const int length = snprintf(text, room,
                              "%s{\"tid\":%d,\"call\":\"%s\",\"advice\":\"%s\",\"addr\":\"0x%llx\",\"len_bytes\":%llu,"
                              "\"ret\":%lld,\"resident_bytes\":%lld,\"lazyfree_bytes\":0,\"rss_delta_bytes\":%lld}",
                              text[-1] == '[' ? "" : ",", own_tid(), call, advice, (unsigned long long)known,
                              (unsigned long long)pages * kPageBytes, (long long)ret,
                              (long long)resident_pages * kPageBytes, (long long)delta_pages * kPageBytes);
  if (length < 0 || (size_t)length >= room) give_up("the answer is too long");
  return (size_t)length;
}

// Each with another length and with something else resident, so that none can pass for another.
static void make_known_calls(void) {
  static char text[4096] = "{\"step\":\"k\",\"unlisted_tids\":[],\"calls\":[";
  static size_t head;
  if (head == 0) head = strlen(text);
  size_t bytes = head;
  for (int pages = 1; pages <= 4; pages++) {
    touch_range(known, (uint64_t)pages * kPageBytes);
    const int64_t ret = raw_madvise(known, 8 * (uint64_t)pages * kPageBytes, MADV_DONTNEED);
    bytes += tell_call(text + bytes, sizeof(text) - bytes, "madvise", "MADV_DONTNEED", 8 * (uint64_t)pages, ret, pages,
                       -pages);
  }
  touch_range(known, 5 * (uint64_t)kPageBytes);
  int64_t ret = raw_madvise(known, 7 * (uint64_t)kPageBytes, MADV_FREE);
  bytes += tell_call(text + bytes, sizeof(text) - bytes, "madvise", "MADV_FREE", 7, ret, 5, 0);
  // Dirty again, so that the kernel cannot have taken them when they go.
  touch_range(known, 6 * (uint64_t)kPageBytes);
  ret = raw_munmap(known, kKnownPages * (uint64_t)kPageBytes);
  bytes += tell_call(text + bytes, sizeof(text) - bytes, "munmap", "", kKnownPages, ret, 6, -6);
  ret = raw_mmap(known, kKnownPages * (uint64_t)kPageBytes, kReadWrite, kAnonymous | MAP_FIXED, -1);
  bytes += tell_call(text + bytes, sizeof(text) - bytes, "mmap", "", kKnownPages, ret, 0, 0);
  if (bytes + 3 > sizeof(text)) give_up("the answer is too long");
  memcpy(text + bytes, "]}\n", 3);
  write_all(STDOUT_FILENO, text, bytes + 3);
}

static void free_heap(void) {
  uint64_t released = 0;
  uint64_t calls = 0;
  const uint64_t step = alternate ? 2 * piece_bytes : piece_bytes;
  memset(workers[0].took, 0, sizeof(workers[0].took));
  uint64_t before_ns = now_ns();
  const uint64_t begin_ns = before_ns;
  for (uint64_t end = heap_bytes - heap_bytes % step; end >= step; end -= step) {
    if (raw_madvise(heap + end - piece_bytes, piece_bytes, MADV_FREE) != 0) give_up("madvise");
    const uint64_t after_ns = now_ns();
    workers[0].took[bucket_of(after_ns - before_ns)]++;
    released += piece_bytes;
    // A sleep for each would cost more than the call.
    if (++calls % kAtOnce == 0 && calls_per_second != 0) sleep_until(begin_ns + calls * kNsOfSecond / calls_per_second);
    before_ns = now_ns();
  }
  print_line("{\"step\":\"f\",\"released_bytes\":%llu,\"p50_ns\":%llu}", (unsigned long long)released,
             (unsigned long long)quantile_ns(calls, 0.5));
}

static void prepare(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  for (uint64_t i = 0; i < thread_count; i++) {
    workers[i].own = map(kOwnPages * kPageBytes);
    *(volatile char*)(workers[i].own + kPageBytes) = kKept;  // NOLINT
    if (pthread_create(&workers[i].thread, &attributes, work, &workers[i]) != 0) give_up("pthread_create");
  }
  known = map(kKnownPages * kPageBytes);
  if (heap_bytes == 0) return;
  heap = map(heap_bytes);
  touch_range(heap, heap_bytes);
}

static void read_arguments(char** at) {
  for (; *at != NULL; at++) {
    if (strcmp(*at, "--threads") == 0) {
      thread_count = number(*++at, 1, UINT64_MAX);
    } else if (strcmp(*at, "--calls") == 0) {
      calls_wanted = number(*++at, 1, UINT64_MAX);
    } else if (strcmp(*at, "--milliseconds") == 0) {
      milliseconds = number(*++at, 1, UINT64_MAX);
    } else if (strcmp(*at, "--calls-per-second") == 0) {
      calls_per_second = number(*++at, 1, UINT64_MAX);
    } else if (strcmp(*at, "--heap-mib") == 0) {
      heap_bytes = number(*++at, 1, UINT64_MAX) << 20;
    } else if (strcmp(*at, "--piece-kib") == 0) {
      piece_bytes = number(*++at, 1, UINT64_MAX) << 10;
    } else if (strcmp(*at, "--alternate") == 0) {
      alternate = true;
    } else {
      give_up("what is %s? See the top of burst.c", *at);
    }
  }
  if (thread_count > kMaxThreads || piece_bytes % kPageBytes != 0) give_up("too many threads, or no whole pages");
}

int main(int argc, char** argv) {
  (void)argc;
  read_arguments(argv + 1);
  // Else a touched page may bring 511 others along.
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) give_up("PR_SET_THP_DISABLE: errno %d", errno);
  sem_init(&start, 0, 0);
  sem_init(&done, 0, 0);
  prepare();
  announce_and_wait();
  for (char step; read(STDIN_FILENO, &step, 1) == 1;) {
    switch (step) {
      case 'b':
        burst();
        break;
      case 'k':
        make_known_calls();
        break;
      case 'f':
        free_heap();
        break;
      case 'w':
        touch_range(heap, heap_bytes);
        print_line("{\"step\":\"w\"}");
        break;
      case 'x':
        _exit(0);
      default:
        give_up("no such step: %c", step);
    }
  }
  _exit(0);
}
