// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

import "C" // makes it a program that is linked with a C library
