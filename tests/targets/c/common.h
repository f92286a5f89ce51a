// SPDX-License-Identifier: Apache-2.0
// What the traced test programs share: raw system calls, the start gate and JSON
// lines. Nothing in here maps, unmaps or advises memory behind the caller's back:
// no malloc, no stdio, so that a program's list of calls is all the calls it made.
//
// The gate: the program prints {"ready":true,"pid":N} and waits for one byte (or
// the end) of standard input, so that a tracer can attach in between.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_FREE
#define MADV_FREE 8
#endif
#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#endif

enum { kPageBytes = 4096 };

// As the kernel answers: negative errno on failure.
static inline int64_t raw(long answer) { return answer == -1 ? -(int64_t)errno : (int64_t)answer; }

static inline int64_t raw_mmap(uint64_t addr, uint64_t bytes, int prot, int flags, int fd) {
  return raw(syscall(SYS_mmap, addr, bytes, prot, flags, fd, 0));
}
static inline int64_t raw_munmap(uint64_t addr, uint64_t bytes) { return raw(syscall(SYS_munmap, addr, bytes)); }
static inline int64_t raw_madvise(uint64_t addr, uint64_t bytes, int advice) {
  return raw(syscall(SYS_madvise, addr, bytes, advice));
}
static inline int64_t raw_mremap(uint64_t addr, uint64_t old_bytes, uint64_t new_bytes, int flags, uint64_t new_addr) {
  return raw(syscall(SYS_mremap, addr, old_bytes, new_bytes, flags, new_addr));
}
static inline int own_tid(void) { return (int)syscall(SYS_gettid); }

static inline void write_all(int fd, const char* text, size_t bytes) {
  while (bytes > 0) {
    const ssize_t written = write(fd, text, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(3);  // nobody reads: the test is gone
    text += written;
    bytes -= (size_t)written;
  }
}

__attribute__((format(printf, 1, 2))) static inline void print_line(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof(line) - 1, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= sizeof(line) - 1) _exit(4);
  line[length] = '\n';
  write_all(STDOUT_FILENO, line, (size_t)length + 1);
}

// The truth would be wrong from here on: better none.
__attribute__((noreturn, format(printf, 1, 2))) static inline void give_up(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof(line) - 1, format, arguments);
  va_end(arguments);
  if (length > 0) {
    const size_t shown = (size_t)length < sizeof(line) - 1 ? (size_t)length : sizeof(line) - 2;
    line[shown] = '\n';
    if (write(STDERR_FILENO, line, shown + 1) < 0) _exit(5);
  }
  _exit(5);
}

// Of the command line.
static inline uint64_t number(const char* text, uint64_t least, uint64_t most) {
  char* end = NULL;
  const unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
  if (text == NULL || *text == '\0' || *end != '\0' || value < least || value > most) {
    give_up("not a number from %llu to %llu: %s", (unsigned long long)least, (unsigned long long)most,
            text == NULL ? "nothing" : text);
  }
  return value;
}

static inline void wait_for_byte(void) {
  char byte;
  ssize_t got;
  do {
    got = read(STDIN_FILENO, &byte, 1);
  } while (got < 0 && errno == EINTR);
}

static inline void announce_and_wait(void) {
  print_line("{\"ready\":true,\"pid\":%d}", (int)getpid());
  wait_for_byte();
}

static inline void touch_page(uint64_t addr) { *(volatile char*)addr = 1; }    // NOLINT
static inline char read_page(uint64_t addr) { return *(volatile char*)addr; }  // NOLINT
static inline void touch_range(uint64_t addr, uint64_t bytes) {
  for (uint64_t at = addr; at < addr + bytes; at += kPageBytes) touch_page(at);
}
static inline void read_range(uint64_t addr, uint64_t bytes) {
  for (uint64_t at = addr; at < addr + bytes; at += kPageBytes) (void)read_page(at);
}

// Parks a thread for good. Threads of these programs never end before the process
// does: glibc would madvise() their stacks.
__attribute__((noreturn)) static inline void park(void) {
  for (;;) pause();
}

// Whether reading what was never written gives each page memory of its own, which counts
// as if it was written: with the zero page, as nearly everywhere, all have the same frame.
// Kernels of some virtual machines do without it. To be asked before the gate; needs the
// right to see frames, without which the answer is no.
static inline bool reading_takes_memory(void) {
  uint64_t entries[2] = {0, 0};
  const int64_t pages = raw_mmap(0, sizeof(entries) / sizeof(entries[0]) * kPageBytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1);
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pages < 0 || pagemap < 0) give_up("cannot see what reading does, errno %d", errno);
  (void)read_page((uint64_t)pages);
  (void)read_page((uint64_t)pages + kPageBytes);
  const off_t at = (off_t)((uint64_t)pages / kPageBytes * sizeof(entries[0]));
  if (pread(pagemap, entries, sizeof(entries), at) != (ssize_t)sizeof(entries)) give_up("pagemap: errno %d", errno);
  close(pagemap);
  raw_munmap((uint64_t)pages, 2 * kPageBytes);
  return entries[0] != entries[1];
}
