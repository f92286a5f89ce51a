// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

// With cgo the program has C code in front of Go's, libc's threads, and is linked by the
// system's linker.

// #include <stdlib.h>
import "C"

func init() { C.free(C.malloc(1)) }
