// SPDX-License-Identifier: Apache-2.0
// Looks at the memory of a process: /proc/PID/status, and a page walk of its private
// anonymous mappings for what status does not say (lazily freed, huge). Never smaps,
// which holds the target's mmap_lock for all of its walk.
//
// The walks keep to a budget of CPU time: when one was too long for the interval,
// the next ones are left out and those columns stay empty.
#pragma once

#include <cstdint>
#include <optional>

#include "kernel/page_walker.h"
#include "model/event.h"
#include "procfs/proc_root.h"

namespace madvtrace {

class Sampler {
 public:
  // Walks take at most this part of one CPU.
  static constexpr double kWalkBudget = 0.01;

  // `walker` may be null; both must outlive this.
  Sampler(const ProcRoot& proc, PageWalker* walker) : proc_(proc), walker_(walker) {}

  // One round: `elapsed_ns` since the last. `always`: walk even over budget (the
  // first and the last sample of a process).
  void begin_round(std::uint64_t elapsed_ns);
  std::optional<Sample> sample(std::uint32_t pid, bool always);

 private:
  void walk(std::uint32_t pid, Sample& sample);

  const ProcRoot& proc_;
  PageWalker* walker_;
  double debt_ns_ = 0;  // CPU time that walks have taken over their budget
};

// What a process is: when it started, what it runs, where it lives.
std::optional<ProcessInfo> describe_process(const ProcRoot& proc, std::uint32_t pid);

}  // namespace madvtrace
