// SPDX-License-Identifier: Apache-2.0

// Variants is one small program that is built in several ways, for what reads Go
// binaries. Prints the Go version, the run-time address of main.main, and then its own
// /proc/self/maps.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
)

func main() {
	fmt.Printf("%s\n%#x\n", runtime.Version(), reflect.ValueOf(main).Pointer())
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil || withC() != 42 {
		os.Exit(1)
	}
	os.Stdout.Write(maps)
}
