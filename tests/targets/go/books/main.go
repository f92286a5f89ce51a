// SPDX-License-Identifier: Apache-2.0

// Books tells what runtime.ReadMemStats says of it and then holds still, so that others
// can read the same from outside. It announces itself as one JSON line; after that, for
// each byte on its standard input:
//
//	g  goes through the next phase, and tells      s  only tells
//
// Telling allocates nothing, so that what it told is still true afterwards. It ends at
// the end of its input.
package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

const (
	mib           = 1 << 20
	pageBytes     = 4 << 10
	smallestBytes = 256
	largestBytes  = 64 << 10
	goroutines    = 500
	stackDepth    = 400 // of frames of more than 128 bytes
	limitMiB      = 192
	gcPercent     = 50
)

var (
	objects [][]byte
	started sync.WaitGroup
	release = make(chan struct{})
)

func grow(bytes int) {
	size := smallestBytes
	for left := bytes; left > 0; left -= size {
		object := make([]byte, size)
		for at := 0; at < size; at += pageBytes {
			object[at] = 1
		}
		objects = append(objects, object)
		if size *= 2; size > largestBytes {
			size = smallestBytes
		}
	}
}

func drop() {
	objects = nil
	runtime.GC()
}

//go:noinline
func recurse(depth int) byte {
	var frame [128]byte
	frame[depth%len(frame)] = byte(depth)
	if depth == 0 {
		started.Done()
		<-release
		return frame[0]
	}
	return frame[1] + recurse(depth-1)
}

func growStacks() {
	started.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go recurse(stackDepth)
	}
	started.Wait()
}

var phases = []struct {
	name string
	run  func()
}{
	{"start", func() {}},
	{"grow", func() { grow(64 * mib) }},
	{"drop", drop},
	{"free", debug.FreeOSMemory},
	{"stacks", growStacks},
	{"limit", func() {
		debug.SetGCPercent(gcPercent)
		debug.SetMemoryLimit(limitMiB * mib)
		grow(96 * mib)
	}},
	{"collected", runtime.GC},
	{"off", func() {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(math.MaxInt64)
		drop()
	}},
}

// teller has all that it needs before it is first asked.
type teller struct {
	stats runtime.MemStats
	text  []byte
}

func (t *teller) number(name string, value uint64) {
	t.text = append(append(append(t.text, `,"`...), name...), `":`...)
	t.text = strconv.AppendUint(t.text, value, 10)
}

func (t *teller) tell(phase string) error {
	var onStack byte
	s := &t.stats
	runtime.ReadMemStats(s)
	t.text = append(append(append(t.text[:0], `{"phase":"`...), phase...), '"')
	t.number("heap_sys", s.HeapSys)
	t.number("heap_inuse", s.HeapInuse)
	t.number("heap_idle", s.HeapIdle)
	t.number("heap_released", s.HeapReleased)
	t.number("stack_inuse", s.StackInuse)
	t.number("next_gc", s.NextGC)
	t.number("num_gc", uint64(s.NumGC))
	t.number("pause_total_ns", s.PauseTotalNs)
	t.number("mallocs", s.Mallocs)
	t.number("frees", s.Frees)
	t.number("sys", s.Sys)
	t.number("stack_sys", s.StackSys)
	t.number("metadata_sys", s.MSpanSys+s.MCacheSys+s.BuckHashSys+s.GCSys+s.OtherSys)
	t.number("memory_limit", uint64(debug.SetMemoryLimit(-1)))
	t.number("heap_address", uint64(uintptr(unsafe.Pointer(t))))
	t.number("stack_address", uint64(uintptr(unsafe.Pointer(&onStack))))
	t.text = append(t.text, "}\n"...)
	_, err := syscall.Write(syscall.Stdout, t.text)
	return err
}

func run() error {
	fmt.Printf(`{"ready":true,"pid":%d,"phases":%d}`+"\n", os.Getpid(), len(phases))
	t := &teller{text: make([]byte, 0, 4096)}
	command := make([]byte, 1)
	next := 0
	for {
		if n, err := syscall.Read(syscall.Stdin, command); err != nil || n == 0 {
			return err
		}
		if command[0] == 'g' && next < len(phases) {
			phases[next].run()
			next++
		}
		if err := t.tell(phases[max(next-1, 0)].name); err != nil {
			return err
		}
	}
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "books:", err)
		os.Exit(1)
	}
}
