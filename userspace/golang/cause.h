// SPDX-License-Identifier: Apache-2.0
// From the user stack of a call to its cause, for Go programs and others.
//
// The frames are looked at from the leaf outward, and the first that decides does: an
// allocation made by a FreeOSMemory is an allocation. Never the leaf alone: inlining
// moves it, and every path ends in the same system call. Names and paths are those of
// the Go sources (src/runtime: mheap.go, malloc.go, mem_linux.go, mgcscavenge.go,
// mpagealloc.go, arena.go), 1.12 to 1.26.
//
// Stacks have gaps: the assembly stubs of system calls hide their caller, before 1.21
// systemstack does, C libraries without frame pointers hide theirs. Since 1.25 they end
// at mcall and morestack; and 64 frames are the most that there are. So a rule rests on
// frames that are near the call, and on the absence of a frame none does, but for
// kMalloc: C library and nothing else.
//
// No rule asks for the Go version: names that changed are all known, and a stack that
// means two things is answered with kGrowthOrLimit, which without a memory limit, as
// before 1.19, is growth.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/cause.h"

namespace madvtrace {

struct StackFrame {
  enum class Kind : std::uint8_t {
    kGo,      // in a Go function
    kNative,  // code, but not Go's
    kNone,    // no address of code: what an unwinder makes of a register that is no frame pointer
  };
  Kind kind = Kind::kNone;
  std::string_view name;    // of the function; empty: it has no symbol
  std::string_view module;  // name of the file, without directories; empty: generated code
};

// Leaf first. `go_program`: the program is one, also if no frame is Go's. `cut_off`: the
// stack goes on after the last frame.
Cause cause_of_stack(std::span<const StackFrame> frames, bool go_program, bool cut_off);

// glibc, musl, their dynamic linkers, and other mallocs, by the names of their files.
bool is_c_library(std::string_view module);

}  // namespace madvtrace
