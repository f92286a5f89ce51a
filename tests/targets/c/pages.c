// SPDX-License-Identifier: Apache-2.0
// Gives pages back as fast as it can, so many times, and says how long that took.
//
//   pages storm N    one thread: writes a page and gives it back with MADV_DONTNEED
//   pages paced N    the same, 1,000 times a second
//   pages faults N   two threads, N rounds each: mmap of kRoundPages, a write to each, munmap
//   pages idle       nothing
//
// Prints {"ready":true,"pid":P}, waits for a byte, works, and prints
// {"wall_ns":N,"cpu_ns":N,"calls":{"madvise":N,"mmap":N,"munmap":N},"p50_ns":N,"p99_ns":N}:
// all calls of these that it made since the gate, and how long one round took. Ends when
// its input does.
#include <pthread.h>
#include <time.h>

#include "common.h"

enum { kThreads = 2, kRoundPages = 128, kMostRounds = 1 << 22, kPaceNs = 1000000 };

static uint32_t* took_ns;
static uint64_t rounds;
static uint64_t storm_page;
static pthread_barrier_t start_line, finish_line;

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t map_pages(uint64_t bytes) {
  const int64_t at = raw_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (at < 0) give_up("mmap of %llu bytes: %s", (unsigned long long)bytes, strerror((int)-at));
  return (uint64_t)at;
}

static void wait_until(uint64_t mono_ns) {
  const struct timespec due = {.tv_sec = (time_t)(mono_ns / 1000000000), .tv_nsec = (long)(mono_ns % 1000000000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
  }
}

static void storm(uint64_t pace_ns) {
  const uint64_t first = clock_ns(CLOCK_MONOTONIC);
  for (uint64_t round = 0; round < rounds; round++) {
    if (pace_ns != 0) wait_until(first + round * pace_ns);
    const uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    touch_page(storm_page);
    if (raw_madvise(storm_page, kPageBytes, MADV_DONTNEED) != 0) give_up("madvise failed");
    took_ns[round] = (uint32_t)(clock_ns(CLOCK_MONOTONIC) - begin);
  }
}

static void* touch_fresh_pages(void* own_times) {
  uint32_t* const times = own_times;
  pthread_barrier_wait(&start_line);
  for (uint64_t round = 0; round < rounds; round++) {
    const uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    const uint64_t pages = map_pages((uint64_t)kRoundPages * kPageBytes);
    touch_range(pages, (uint64_t)kRoundPages * kPageBytes);
    if (raw_munmap(pages, (uint64_t)kRoundPages * kPageBytes) != 0) give_up("munmap failed");
    times[round] = (uint32_t)(clock_ns(CLOCK_MONOTONIC) - begin);
  }
  pthread_barrier_wait(&finish_line);
  park();
}

static void start_threads(void) {
  pthread_barrier_init(&start_line, NULL, kThreads + 1);
  pthread_barrier_init(&finish_line, NULL, kThreads + 1);
  for (uint64_t thread = 0; thread < kThreads; thread++) {
    pthread_t handle;
    if (pthread_create(&handle, NULL, touch_fresh_pages, took_ns + thread * rounds) != 0) give_up("no thread");
  }
}

// Not qsort: it maps memory for so many, and the tracer is still there.
static void sort_times(uint32_t* times, uint64_t count) {
  for (uint64_t gap = count / 2; gap > 0; gap /= 2) {
    for (uint64_t at = gap; at < count; at++) {
      const uint32_t moved = times[at];
      uint64_t hole = at;
      for (; hole >= gap && times[hole - gap] > moved; hole -= gap) times[hole] = times[hole - gap];
      times[hole] = moved;
    }
  }
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "idle") == 0) {
    announce_and_wait();
    return 0;
  }
  if (argc != 3) give_up("usage: pages storm|paced|faults N, or pages idle");
  const bool paced = strcmp(argv[1], "paced") == 0;
  const bool storms = paced || strcmp(argv[1], "storm") == 0;
  if (!storms && strcmp(argv[1], "faults") != 0) give_up("unknown mode %s", argv[1]);
  rounds = strtoull(argv[2], NULL, 10);
  const uint64_t times = storms ? rounds : kThreads * rounds;
  if (rounds == 0 || times > kMostRounds) give_up("N must be from 1 to %d", kMostRounds / kThreads);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  const uint64_t times_bytes = times * sizeof(*took_ns);
  took_ns = (uint32_t*)map_pages(times_bytes);  // NOLINT
  touch_range((uint64_t)took_ns, times_bytes);

  if (storms) {
    storm_page = map_pages(kPageBytes);
    touch_page(storm_page);
  } else {
    start_threads();
  }

  announce_and_wait();
  const uint64_t cpu_begin_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), begin_ns = clock_ns(CLOCK_MONOTONIC);
  if (storms) {
    storm(paced ? kPaceNs : 0);
  } else {
    pthread_barrier_wait(&start_line);
    pthread_barrier_wait(&finish_line);
  }
  const uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;
  const uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin_ns;

  sort_times(took_ns, times);
  print_line(
      "{\"wall_ns\":%llu,\"cpu_ns\":%llu,\"calls\":{\"madvise\":%llu,\"mmap\":%llu,\"munmap\":%llu},"
      "\"p50_ns\":%u,\"p99_ns\":%u}",
      (unsigned long long)wall_ns, (unsigned long long)cpu_ns, (unsigned long long)(storms ? times : 0),
      (unsigned long long)(storms ? 0 : times), (unsigned long long)(storms ? 0 : times), took_ns[times / 2],
      took_ns[times - times / 100 - 1]);
  wait_for_byte();
  return 0;
}
