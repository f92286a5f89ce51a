// SPDX-License-Identifier: Apache-2.0
// Breakpoints on the two functions of a process's Go runtime that tell its garbage
// collections.
//
// What they cost the process: a trap of 6 us for each hit (6.18, in a virtual machine),
// and, until it ends, a private copy of each page that had a breakpoint and one page more
// ("[uprobes]" in its maps, for instructions that have to be run elsewhere).
//
// Not promised: that a hit is seen before attach() has returned, or that breakpoints of
// one process serve its children, or what it becomes by an exec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/uprobe.h"

struct bpf_program;

namespace madvtrace {

// Entries of functions, as offsets in the executable file.
struct GcPlaces {
  std::uint64_t start_offset = 0;
  std::uint64_t end_offset = 0;
  bool has_trigger = false;  // in a register at the start: see golang/gc_functions.h
};

class GcProbes {
 public:
  // Two breakpoints, and two to four file descriptors, each.
  static constexpr std::size_t kMostProcesses = 1024;

  // The programs must be loaded, and outlive this.
  GcProbes(const bpf_program* on_start, const bpf_program* on_end) : on_start_(on_start), on_end_(on_end) {}
  ~GcProbes() { detach_all(); }
  GcProbes(const GcProbes&) = delete;
  GcProbes& operator=(const GcProbes&) = delete;

  // In place of what was attached to this process. `path` as for Uprobe::attach().
  Status attach(std::uint32_t pid, const std::string& path, const GcPlaces& places);
  // Of a process that has ended or runs something else: sooner or later, since nothing
  // can hit them any more. Many are taken out at once, and the call then waits for them:
  // a thread that did so meanwhile would be there when this process forks.
  void detach(std::uint32_t pid);
  // Waits until the last breakpoint is out.
  void detach_all();

 private:
  const bpf_program* on_start_;
  const bpf_program* on_end_;
  std::map<std::uint32_t, std::vector<Uprobe>> attached_;
  std::vector<Uprobe> retired_;
};

}  // namespace madvtrace
