// SPDX-License-Identifier: Apache-2.0
// Gives memory back and touches some of it again, one step for each byte on standard
// input, and tells after each step, as one JSON line, how many pages it has touched that
// were given back and absent.
//
//   refault [--mib N] [--huge]
//
// The gate's byte makes it map and touch N MiB (default 16), and starts its first helper
// thread. Then:
//   d  MADV_DONTNEED of everything
//   w  writes every third page
//   r  read() into every fifth page: the kernel touches it
//   t  a thread that has run since before the gate writes the pages of the second half
//   n  a thread that is started now does
//   c  a forked child writes every page and ends: none of them is this process's
//   m  unmaps the first quarter, maps it anew and writes it: nothing of it comes back
//   f  MADV_FREE of everything
//   p  MADV_POPULATE_WRITE of everything: the kernel brings the pages back without a fault
//   s  nothing but to tell
//
// {"step":S,"addr":A,"mapped_bytes":N,"touched_bytes":N,"tid":T}
//   touched_bytes  sum over all steps, each page once for each time it was given back
//   tid            of the thread that did it
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>

#include "common.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static const uint64_t kHugeBytes = (uint64_t)2 << 20;

static uint64_t mapped_mib = 16;
static bool huge;
static uint64_t region;
static uint64_t page_count;
static uint8_t* absent;  // given back and not touched since
static uint64_t touched;
static sem_t go;
static sem_t done;
static int worker_tid;

static uint64_t page_at(uint64_t page) { return region + page * kPageBytes; }

static void note(uint64_t page) {
  touched += absent[page];
  absent[page] = 0;
}

static void write_page(uint64_t page) {
  touch_page(page_at(page));
  note(page);
}

static void write_second_half(void) {
  for (uint64_t page = page_count / 2; page < page_count; page++) write_page(page);
}

static void* work(void* argument) {
  (void)argument;
  sem_wait(&go);
  worker_tid = own_tid();
  write_second_half();
  sem_post(&done);
  park();
}

static void start_worker(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) give_up("pthread_create");
}

static void let_worker_write(void) {
  sem_post(&go);
  while (sem_wait(&done) != 0) {
  }
}

static void release_all(int advice) {
  const int64_t ret = raw_madvise(region, page_count * kPageBytes, advice);
  if (ret != 0) give_up("madvise answered %lld", (long long)ret);
  if (advice == MADV_DONTNEED) memset(absent, 1, page_count);
}

static void read_into_every_fifth(void) {
  const int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  if (zero < 0) give_up("/dev/zero: errno %d", errno);
  for (uint64_t page = 0; page < page_count; page += 5) {
    if (read(zero, (void*)page_at(page), 1) != 1) give_up("read: errno %d", errno);  // NOLINT
    note(page);
  }
  close(zero);
}

static void let_child_write(void) {
  const pid_t child = fork();
  if (child < 0) give_up("fork: errno %d", errno);
  if (child == 0) {
    for (uint64_t page = 0; page < page_count; page++) touch_page(page_at(page));
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) give_up("the child: status %d", status);
}

static void map_first_quarter_anew(void) {
  const uint64_t bytes = page_count / 4 * kPageBytes;
  if (raw_munmap(region, bytes) != 0) give_up("munmap");
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  const int64_t at = raw_mmap(region, bytes, PROT_READ | PROT_WRITE, flags, -1);
  if (at != (int64_t)region) give_up("mmap answered %lld", (long long)at);
  touch_range(region, bytes);
  memset(absent, 0, page_count / 4);
}

static void populate_all(void) {
  if (raw_madvise(region, page_count * kPageBytes, MADV_POPULATE_WRITE) != 0) give_up("populate: errno %d", errno);
  for (uint64_t page = 0; page < page_count; page++) note(page);
}

static void allocate(void) {
  page_count = mapped_mib << 20 >> 12;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const int64_t notes = raw_mmap(0, page_count, PROT_READ | PROT_WRITE, flags, -1);
  const int64_t at = raw_mmap(0, page_count * kPageBytes + kHugeBytes, PROT_READ | PROT_WRITE, flags, -1);
  if (at < 0 || notes < 0) give_up("mmap answered %lld", (long long)at);
  absent = (uint8_t*)notes;  // NOLINT
  region = ((uint64_t)at + kHugeBytes - 1) & ~(kHugeBytes - 1);
  if (raw_madvise(region, page_count * kPageBytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0) give_up("hugepage");
  touch_range(region, page_count * kPageBytes);
}

static void tell(char step, int tid) {
  print_line("{\"step\":\"%c\",\"addr\":\"0x%llx\",\"mapped_bytes\":%llu,\"touched_bytes\":%llu,\"tid\":%d}", step,
             (unsigned long long)region, (unsigned long long)(page_count * kPageBytes),
             (unsigned long long)(touched * kPageBytes), tid);
}

static void read_arguments(char** at) {
  for (; *at != NULL; at++) {
    if (strcmp(*at, "--huge") == 0) {
      huge = true;
    } else if (strcmp(*at, "--mib") == 0 && *++at != NULL) {
      mapped_mib = strtoull(*at, NULL, 10);
    } else {
      give_up("what is %s? See the top of refault.c", *at == NULL ? "missing" : *at);
    }
  }
  if (mapped_mib == 0 || mapped_mib > 4096) give_up("--mib is from 1 to 4096");
}

// The thread that did it.
static int do_step(char step) {
  switch (step) {
    case 'd':
      release_all(MADV_DONTNEED);
      break;
    case 'w':
      for (uint64_t page = 0; page < page_count; page += 3) write_page(page);
      break;
    case 'r':
      read_into_every_fifth();
      break;
    case 'n':
      start_worker();
      let_worker_write();
      return worker_tid;
    case 't':
      let_worker_write();
      return worker_tid;
    case 'c':
      let_child_write();
      break;
    case 'm':
      map_first_quarter_anew();
      break;
    case 'f':
      release_all(MADV_FREE);
      break;
    case 'p':
      populate_all();
      break;
    case 's':
      break;
    default:
      give_up("no such step: %c", step);
  }
  return own_tid();
}

int main(int argc, char** argv) {
  (void)argc;
  read_arguments(argv + 1);
  // Else a touched page may bring 511 others along.
  if (!huge && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) give_up("PR_SET_THP_DISABLE: errno %d", errno);
  sem_init(&go, 0, 0);
  sem_init(&done, 0, 0);
  announce_and_wait();
  allocate();
  start_worker();
  tell('a', own_tid());
  for (char step; read(STDIN_FILENO, &step, 1) == 1;) {
    const int tid = do_step(step);
    tell(step, tid);
  }
  _exit(0);
}
