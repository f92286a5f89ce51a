// SPDX-License-Identifier: Apache-2.0
// Has a BPF program run on every page fault of the processes that are traced, and of no
// others: one software event (PERF_COUNT_SW_PAGE_FAULTS) for each thread that they have
// when they are first watched. The kernel gives it on to whatever such a thread starts,
// threads and processes, and takes it back from all of them when it is closed: so what
// was opened for a process stays open until its last watched descendant has ended.
//
// What it costs a watched process: about 15% of a fault. Two file descriptors a thread.
//
// Not promised: faults that a thread takes before watch() has returned; or of a process
// that becomes another user by its exec, from which the kernel takes such events away.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kernel/hooks.h"

struct bpf_program;

namespace madvtrace {

// One process is watched for as long as this exists. It shares its events with those that
// it was forked from.
class FaultWatch {
 public:
  FaultWatch() = default;  // nobody is watched
  explicit operator bool() const { return events_ != nullptr; }

  // Watches a process that this one has forked at that moment, or nobody if the events were
  // opened after it.
  FaultWatch of_child(std::uint64_t forked_ns) const;

 private:
  friend class FaultEvents;
  // They were opened together.
  using Events = std::vector<Link>;
  FaultWatch(std::shared_ptr<Events> events, std::uint64_t since_ns)
      : events_(std::move(events)), since_ns_(since_ns) {}

  std::shared_ptr<Events> events_;
  std::uint64_t since_ns_ = 0;
};

class FaultEvents {
 public:
  // The program must be loaded, and outlive every FaultWatch.
  explicit FaultEvents(bpf_program* on_page_fault) : program_(on_page_fault) {}

  // Watches all threads of this process. Threads that end meanwhile are no error. Whatever
  // could not be watched counts as one in failures().
  Result<FaultWatch> watch(std::uint32_t pid);
  // Ends all of these at once, and with them whoever shares their events.
  static void end(const std::vector<FaultWatch>& watches);

  std::uint64_t failures() const { return failures_; }

 private:
  Status open_new_threads(std::uint32_t pid, std::set<std::uint32_t>& seen, FaultWatch::Events& events) const;

  bpf_program* program_;
  bool allowed_many_files_ = false;
  std::uint64_t failures_ = 0;
};

}  // namespace madvtrace
