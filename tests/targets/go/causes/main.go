// SPDX-License-Identifier: Apache-2.0

// Causes gives memory back and takes it, each time for a reason that it knows. Each
// byte on standard input is a step; the answer is one JSON line with the step's name and
// the time before and after it (CLOCK_MONOTONIC).
//
//	o  debug.FreeOSMemory       u  allocates again what o gave back
//	b  garbage, then waits for the background scavenger
//	g  grows the heap           l  allocates near its memory limit
//	a  mmap, madvise and munmap of its own
//	f  garbage, a little
//
// and with cgo:
//
//	t  malloc_trim              c  malloc and free of large blocks
//	n  mmap, madvise and munmap of C code
//
// With -efence what is freed faults when touched (GODEBUG=efence=1). Prints
// {"ready":true,"pid":N} first; ends with status 0 when its input ends.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	mib          = 1 << 20
	objectBytes  = 64 << 10
	pageBytes    = 4 << 10
	patience     = 30 * time.Second
	lookEvery    = 10 * time.Millisecond
	efenceOption = "efence=1"
)

var kept [][]byte

func touched(bytes int) []byte {
	object := make([]byte, bytes)
	for at := 0; at < bytes; at += pageBytes {
		object[at] = 1
	}
	return object
}

func allocate(megabytes, size int) {
	for left := megabytes * mib; left > 0; left -= size {
		kept = append(kept, touched(size))
	}
}

func collect() {
	kept = nil
	runtime.GC()
	runtime.GC()
}

func released() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapReleased
}

func freeOSMemory() error {
	allocate(64, objectBytes)
	kept = nil
	debug.FreeOSMemory()
	return nil
}

func reuse() error {
	collect()
	debug.FreeOSMemory()
	allocate(64, 8*mib)
	return nil
}

func background() error {
	debug.FreeOSMemory()
	allocate(128, objectBytes)
	before := released()
	collect()
	for until := time.Now().Add(patience); released() < before+8*mib; time.Sleep(lookEvery) {
		if time.Now().After(until) {
			return fmt.Errorf("nothing released in %v", patience)
		}
	}
	return nil
}

func grow() error {
	collect()
	allocate(256, objectBytes)
	return nil
}

// nearLimit fills what the limit leaves, makes holes, and allocates what fits into none
// of them: for that something has to be given back.
func nearLimit() error {
	collect()
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	defer debug.SetMemoryLimit(math.MaxInt64)
	debug.SetMemoryLimit(int64(stats.Sys-stats.HeapReleased) + 160*mib)
	for round := 0; round < 4; round++ {
		allocate(144, objectBytes)
		for i := 0; i < len(kept); i += 2 {
			kept[i] = nil
		}
		runtime.GC()
		allocate(64, 3*mib)
		collect()
	}
	return nil
}

func own() error {
	region, err := syscall.Mmap(-1, 0, 4*mib, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for at := 0; at < len(region); at += pageBytes {
		region[at] = 1
	}
	if err := syscall.Madvise(region, syscall.MADV_DONTNEED); err != nil {
		return err
	}
	return syscall.Munmap(region)
}

func garbage() error {
	allocate(2, objectBytes)
	collect()
	return nil
}

type step struct {
	name string
	do   func() error
}

var steps = map[byte]step{
	'o': {"freeosmemory", freeOSMemory},
	'u': {"reuse", reuse},
	'b': {"background", background},
	'g': {"heap-growth", grow},
	'l': {"memory-limit", nearLimit},
	'a': {"app", own},
	'f': {"garbage", garbage},
}

func monotonic() int64 {
	var now syscall.Timespec
	const clockMonotonic = 1
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		panic(errno)
	}
	return now.Nano()
}

func run() error {
	if len(os.Args) > 1 && os.Args[1] == "-efence" && !strings.Contains(os.Getenv("GODEBUG"), efenceOption) {
		return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), "GODEBUG="+efenceOption))
	}
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(map[string]any{"ready": true, "pid": os.Getpid()}); err != nil {
		return err
	}
	input := bufio.NewReader(os.Stdin)
	for {
		wanted, err := input.ReadByte()
		if err != nil {
			return nil
		}
		step, known := steps[wanted]
		if !known {
			return fmt.Errorf("no step %q", wanted)
		}
		begin := monotonic()
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if err := answers.Encode(map[string]any{"did": step.name, "begin_ns": begin, "end_ns": monotonic()}); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "causes:", err)
		os.Exit(1)
	}
}
