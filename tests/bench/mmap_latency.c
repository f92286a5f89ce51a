// SPDX-License-Identifier: Apache-2.0
// How long an mmap and munmap of 64 KiB take while --mib of lazily freed memory lies in
// the same address space: prints p50, p99 and the maximum in ns.
//
//   mmap_latency MIB SECONDS   prints "ready", frees and measures after a byte on stdin
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { kMost = 1 << 22, kPiece = 64 << 10 };

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return (x > y) - (x < y);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const size_t bytes = (size_t)atol(argv[1]) << 20;
  const uint64_t seconds = (uint64_t)atol(argv[2]);
  uint32_t* took = calloc(kMost, sizeof(*took));
  char* heap = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (took == NULL || heap == MAP_FAILED) return 1;
  madvise(heap, bytes, MADV_NOHUGEPAGE);
  memset(heap, 1, bytes);
  memset(took, 1, kMost * sizeof(*took));
  puts("ready");
  fflush(stdout);
  getchar();
  for (size_t at = bytes; at > 0; at -= kPiece) madvise(heap + at - kPiece, kPiece, MADV_FREE);
  const uint64_t until = now_ns() + seconds * 1000000000;
  size_t count = 0;
  for (uint64_t begin = now_ns(); begin < until && count < kMost; begin = now_ns()) {
    void* piece = mmap(NULL, kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(piece, kPiece);
    took[count++] = (uint32_t)(now_ns() - begin);
    // A program does something else as well.
    const struct timespec pause = {0, 20000};
    nanosleep(&pause, NULL);
  }
  qsort(took, count, sizeof(*took), ascending);
  printf("%zu pairs p50 %u p99 %u max %u ns\n", count, took[count / 2], took[count - count / 100 - 1], took[count - 1]);
  return 0;
}
