// SPDX-License-Identifier: Apache-2.0

// Storm starts many short-lived copies of itself, some at a time. Each copy maps memory,
// gives parts of it back, unmaps it, ends, and has told what it did:
//
//	storm [-children N] [-at-once N]
//
// Prints {"ready":true,"pid":N}, waits for a byte, and then prints
// {"children":[{"pid":N,"addr":A,"bytes":N,"madvise":N,"munmap":N,"released_bytes":N},…]}.
// Ends when its input does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"
)

const (
	pageBytes  = 4 << 10
	pages      = 64
	mostCalls  = 7
	childIndex = "STORM_CHILD"
)

type child struct {
	Pid      int     `json:"pid"`
	Addr     uintptr `json:"addr"`
	Bytes    int     `json:"bytes"`
	Madvise  int     `json:"madvise"`
	Munmap   int     `json:"munmap"`
	Released int     `json:"released_bytes"`
}

func beChild(index int) error {
	memory, err := syscall.Mmap(-1, 0, pages*pageBytes, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return err
	}
	// Part of a huge page, its other parts would be resident too.
	if err := syscall.Madvise(memory, syscall.MADV_NOHUGEPAGE); err != nil {
		return err
	}
	did := child{Pid: os.Getpid(), Addr: uintptr(unsafe.Pointer(&memory[0])), Bytes: len(memory), Munmap: 1}
	for call := 0; call < 1+index%mostCalls; call++ {
		bytes := (call + 1) * pageBytes
		for at := 0; at < bytes; at += pageBytes {
			memory[at] = 1
		}
		if err := syscall.Madvise(memory[:bytes], syscall.MADV_DONTNEED); err != nil {
			return err
		}
		did.Madvise++
		did.Released += bytes
	}
	if err := syscall.Munmap(memory); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(did)
}

func runChild(index int) (child, error) {
	var did child
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", childIndex, index))
	output, err := command.Output()
	if err != nil {
		return did, err
	}
	return did, json.Unmarshal(output, &did)
}

func run(children, atOnce int) error {
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(map[string]any{"ready": true, "pid": os.Getpid()}); err != nil {
		return err
	}
	gate := make([]byte, 1)
	if _, err := os.Stdin.Read(gate); err != nil {
		return err
	}
	all := make([]child, children)
	failures := make(chan error, children)
	free := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for index := range all {
		free <- struct{}{}
		running.Add(1)
		go func(index int) {
			defer running.Done()
			var err error
			if all[index], err = runChild(index); err != nil {
				failures <- err
			}
			<-free
		}(index)
	}
	running.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	if err := answers.Encode(map[string]any{"children": all}); err != nil {
		return err
	}
	os.Stdin.Read(gate)
	return nil
}

func main() {
	children := flag.Int("children", 500, "how many copies")
	atOnce := flag.Int("at-once", 8, "how many of them at a time")
	flag.Parse()
	err := error(nil)
	var index int
	if _, scanned := fmt.Sscan(os.Getenv(childIndex), &index); scanned == nil {
		err = beChild(index)
	} else {
		err = run(*children, *atOnce)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
