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

class GcProbes;

// It holds the breakpoints of one process. When it is destroyed they are left to GcProbes,
// which takes them out, sooner or later: the process has ended, runs something else or is no
// target any more, so that no hit is told. So no destructor waits for the kernel.
class GcProbe {
 public:
  GcProbe() = default;
  GcProbe(GcProbe&& other) noexcept;
  GcProbe& operator=(GcProbe&& other) noexcept;
  GcProbe(const GcProbe&) = delete;
  GcProbe& operator=(const GcProbe&) = delete;
  ~GcProbe();

 private:
  friend class GcProbes;
  GcProbes* probes_ = nullptr;
  std::vector<Uprobe> uprobes_;  // two, or none
};

class GcProbes {
 public:
  // Each takes two breakpoints, and two to four file descriptors.
  static constexpr std::size_t kMostProcesses = 1024;
  // So many breakpoints are taken out at once, in the time that one takes: of 32 processes.
  static constexpr std::size_t kManyRetired = 64;

  // The programs must be loaded, and outlive this; and this every GcProbe.
  GcProbes(const bpf_program* on_start, const bpf_program* on_end) : on_start_(on_start), on_end_(on_end) {}
  ~GcProbes() { detach_retired(); }
  GcProbes(const GcProbes&) = delete;
  GcProbes& operator=(const GcProbes&) = delete;

  // What `probe` holds from before is taken out first. `path` is as for Uprobe::attach().
  Status attach(GcProbe& probe, std::uint32_t pid, const std::string& path, const GcPlaces& places);
  // If so many breakpoints are held by nobody any more: waits until they are out, 50 to 100 ms
  // (a thread that did so meanwhile would be there when this process forks).
  void detach_retired(std::size_t at_least = 1);

 private:
  friend class GcProbe;
  void retire(std::vector<Uprobe> uprobes);

  const bpf_program* on_start_;
  const bpf_program* on_end_;
  std::size_t attached_ = 0;  // processes
  std::vector<Uprobe> retired_;
};

}  // namespace madvtrace
