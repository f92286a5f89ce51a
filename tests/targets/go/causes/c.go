// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

/*
#define _GNU_SOURCE
#cgo CFLAGS: -O2 -fno-omit-frame-pointer
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { kSmall = 64 << 10, kLarge = 32 << 20, kPieces = 256 };

// Below the mmap threshold, so that it comes from the heap and trimming has work to do:
// every second piece stays.
static void trim(void) {
	static void *pieces[kPieces];
	for (int i = 0; i < kPieces; i++) {
		pieces[i] = malloc(kSmall);
		memset(pieces[i], 1, kSmall);
	}
	for (int i = 0; i < kPieces; i += 2) free(pieces[i]);
	malloc_trim(0);
	for (int i = 1; i < kPieces; i += 2) free(pieces[i]);
}

static void large(void) {
	void *volatile block = malloc(kLarge);
	memset(block, 1, kLarge);
	free(block);
}

__attribute__((noinline)) static int advise(char *region) {
	int failed = madvise(region, kLarge, MADV_DONTNEED);
	__asm__ volatile("" ::: "memory");
	return failed;
}

static int native(void) {
	char *region = mmap(NULL, kLarge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED) return -1;
	memset(region, 1, kLarge);
	return advise(region) | munmap(region, kLarge);
}
*/
import "C"

import "errors"

func init() {
	steps['t'] = step{"malloc_trim", func() error { C.trim(); return nil }}
	steps['c'] = step{"malloc", func() error { C.large(); return nil }}
	steps['n'] = step{"cgo", func() error {
		if C.native() != 0 {
			return errors.New("mmap, madvise or munmap failed")
		}
		return nil
	}}
}
