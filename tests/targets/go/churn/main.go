// SPDX-License-Identifier: Apache-2.0

// Churn has a fragmented heap and a memory limit that it always is at, so that the
// runtime has to give pages back for nearly each one that it takes:
//
//	churn [-live MIB] [-object BYTES] [-limit MIB] [-turns N] [-work N]
//
// Of the objects that are alive, every other one stays for good. In each turn the rest
// is dropped and made anew: in even turns of objects of twice the size, which do not fit
// in the holes of the old ones; in odd turns of objects that do. Before each one -work
// steps of arithmetic are done.
//
// Prints {"ready":true,"pid":N} when the heap is as it will stay, waits for a byte, does
// its turns and prints {"wall_ns":N,"cpu_ns":N,"allocations":N,"num_gc":N}. How often the
// runtime calls madvise it cannot know. Ends when its input does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

type churn struct {
	bytes   int // of an object
	fitting int // how many of them are made anew
	work    int
	kept    [][]byte
	passing [][]byte
	made    int
	result  uint32 // keeps the arithmetic from being left out
}

func newChurn(live, bytes, work int) *churn {
	c := &churn{bytes: bytes, fitting: live << 20 / bytes / 2, work: work}
	for index := 0; index < c.fitting; index++ {
		c.kept = append(c.kept, make([]byte, bytes))
		c.passing = append(c.passing, make([]byte, bytes))
	}
	return c
}

func (c *churn) makeAnew(count, bytes int) {
	for index := range c.passing {
		c.passing[index] = nil
	}
	c.passing = c.passing[:0]
	runtime.GC()
	for ; count > 0; count-- {
		for step := 0; step < c.work; step++ {
			c.result = c.result*1664525 + 1013904223
		}
		c.passing = append(c.passing, make([]byte, bytes))
		c.made++
	}
}

func (c *churn) turn(number int) {
	if number%2 == 0 {
		c.makeAnew(c.fitting/2, 2*c.bytes)
	} else {
		c.makeAnew(c.fitting, c.bytes)
	}
}

func cpuNs() (int64, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano(), err
}

func run(c *churn, turns int) error {
	// One of each kind: the heap has its full extent then. Of the large objects some stay
	// too, as the runtime gives a huge page that is all free back in one piece.
	c.turn(0)
	for index := 0; index < len(c.passing); index += 32 {
		c.kept = append(c.kept, c.passing[index])
	}
	c.turn(1)
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(map[string]any{"ready": true, "pid": os.Getpid()}); err != nil {
		return err
	}
	gate := make([]byte, 1)
	if _, err := os.Stdin.Read(gate); err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	madeBefore := c.made
	cpuBefore, err := cpuNs()
	if err != nil {
		return err
	}
	begin := time.Now()
	for number := 0; number < turns; number++ {
		c.turn(number)
	}
	wall := time.Since(begin)
	cpuAfter, err := cpuNs()
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	if err := answers.Encode(map[string]any{
		"wall_ns": wall.Nanoseconds(), "cpu_ns": cpuAfter - cpuBefore,
		"allocations": c.made - madeBefore, "num_gc": after.NumGC - before.NumGC,
	}); err != nil {
		return err
	}
	os.Stdin.Read(gate)
	return nil
}

func main() {
	live := flag.Int("live", 64, "MiB that are alive")
	object := flag.Int("object", 8<<10, "bytes of an object")
	limit := flag.Int("limit", 72, "memory limit in MiB")
	turns := flag.Int("turns", 10, "how many turns")
	work := flag.Int("work", 0, "steps of arithmetic before each object")
	flag.Parse()
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(int64(*limit) << 20)
	if err := run(newChurn(*live, *object, *work), *turns); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
