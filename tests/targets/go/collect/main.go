// SPDX-License-Identifier: Apache-2.0

// Collect makes a known number of garbage collections and says how many the runtime
// counted itself.
//
//	-forced N    runtime.GC() N times
//	-garbage M   allocates M MiB that nobody keeps: the runtime collects when it likes
//	-kept M      while M MiB are kept
//	-exec PATH   becomes the program at PATH at its gate, with the other flags
//	-child       at its gate, starts itself as a child that does the work
//
// It prints {"ready":true,"pid":N}, waits for a byte on standard input (its gate), works,
// prints what it counted, and ends when standard input does. Each byte more is one more
// round. Its result is a checksum over everything it allocated, so that a wrong bit in
// it would show.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"syscall"
)

const (
	objectBytes = 16 << 10
	mib         = 1 << 20
	percent     = 20 // of GOGC: many collections from little garbage
)

var (
	forced  = flag.Int("forced", 0, "collections to ask for")
	garbage = flag.Int("garbage", 0, "MiB to allocate and forget")
	kept    = flag.Int("kept", 8, "MiB to keep meanwhile")
	become  = flag.String("exec", "", "become this program at the gate")
	child   = flag.Bool("child", false, "work in a child process")
)

// allocate fills n MiB with numbers and returns them with their checksum.
func allocate(n int) (objects [][]byte, sum uint32) {
	for i := 0; i < n*mib/objectBytes; i++ {
		object := make([]byte, objectBytes)
		for at := range object {
			object[at] = byte(i + at)
		}
		objects = append(objects, object)
		sum = crc32.Update(sum, crc32.IEEETable, object)
	}
	return objects, sum
}

func checksum(objects [][]byte) (sum uint32) {
	for _, object := range objects {
		sum = crc32.Update(sum, crc32.IEEETable, object)
	}
	return sum
}

type counted struct {
	Pid         int    `json:"pid"`
	Collections uint32 `json:"collections"` // that ended in the round
	Forced      uint32 `json:"forced"`      // of them
	Checksum    uint32 `json:"checksum"`
	Intact      bool   `json:"intact"` // what was kept is what was written
}

func work() counted {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)

	// Only from here to the end of the round does the heap trigger anything, so that no
	// collection is under way when the counters are read.
	debug.SetGCPercent(percent)
	objects, sum := allocate(*kept)
	total := sum
	for i := 0; i < *garbage; i++ {
		_, part := allocate(1)
		total ^= part
	}
	for i := 0; i < *forced; i++ {
		runtime.GC()
	}
	intact := checksum(objects) == sum
	runtime.KeepAlive(objects)
	debug.SetGCPercent(-1)
	runtime.GC() // waits for one that is under way

	runtime.ReadMemStats(&after)
	return counted{
		Pid:         os.Getpid(),
		Collections: after.NumGC - before.NumGC,
		Forced:      after.NumForcedGC - before.NumForcedGC,
		Checksum:    total,
		Intact:      intact,
	}
}

// amounts are the flags that say how much to do.
func amounts() []string {
	return []string{
		fmt.Sprintf("-forced=%d", *forced), fmt.Sprintf("-garbage=%d", *garbage), fmt.Sprintf("-kept=%d", *kept),
	}
}

func run() error {
	debug.SetGCPercent(-1)
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]any{"ready": true, "pid": os.Getpid()}); err != nil {
		return err
	}
	gate := make([]byte, 1) // what becomes of this process reads the rest
	for {
		if _, err := os.Stdin.Read(gate); err != nil {
			return nil
		}
		switch {
		case *become != "":
			return syscall.Exec(*become, append([]string{*become}, amounts()...), os.Environ())
		case *child:
			path, err := os.Executable()
			if err != nil {
				return err
			}
			command := exec.Command(path, amounts()...)
			command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
			return command.Run()
		default:
			if err := out.Encode(work()); err != nil {
				return err
			}
		}
	}
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "collect:", err)
		os.Exit(1)
	}
}
