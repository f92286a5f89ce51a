// SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package main

func withC() int { return 42 }
