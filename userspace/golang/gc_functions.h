// SPDX-License-Identifier: Apache-2.0
// The two functions of the Go runtime whose entries tell its garbage collections: where
// they stand in the file.
//
//   start  runtime.(*gcControllerState).startCycle   the world is stopped, marking begins
//   end    runtime.gcSweep                           everything is marked, sweeping begins
//
// Of the functions that a collection goes through they are the ones to look at (src/
// runtime/mgc.go, mgcpacer.go; counted beside GODEBUG=gctrace=1 in 13 programs of Go
// 1.12 to 1.26). gcStart is called by every thread that finds the heap at its goal: 1.1 to
// 3 times a collection. gcMarkTermination has so large a frame that its entry often runs
// twice (morestack): up to twice in each collection with 1.13 and 1.25. startCycle is
// entered once, but for a rare second time for the same reason (once in 193); gcSweep
// runs on the system stack, which does not grow: exactly once. Both were in all of them,
// inlined nowhere.
//
// What made the runtime collect (gcTrigger.kind) is an argument of startCycle since 1.19.
#pragma once

#include <cstdint>
#include <optional>

#include "golang/elf_image.h"
#include "golang/pclntab.h"

namespace madvtrace {

struct GcFunctions {
  std::uint64_t start_offset = 0;  // of the entry, in the file
  std::uint64_t end_offset = 0;
  bool has_trigger = false;  // in register DI at the start, low byte
};

// Nothing if one of them is not there, or for another machine than x86-64.
std::optional<GcFunctions> find_gc_functions(const ElfImage& image, const Pclntab& table);

}  // namespace madvtrace
