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
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "kernel/hooks.h"

struct bpf_program;

namespace madvtrace {

class FaultEvents {
 public:
  explicit FaultEvents(bpf_program* on_page_fault) : program_(on_page_fault) {}
  ~FaultEvents() { close_all(); }
  FaultEvents(FaultEvents&&) = default;
  FaultEvents& operator=(FaultEvents&&) = default;

  // All threads of this process; nothing happens if it is watched already. Threads that
  // end meanwhile are no error. Whatever could not be watched counts as one in failures().
  Status watch(std::uint32_t pid);
  // A process that was forked at this moment: watched by its parent's events if they were
  // there by then.
  Status watch_child(std::uint32_t pid, std::uint32_t parent_pid, std::uint64_t forked_ns);
  // It has ended, or is no target any more.
  void forget(std::uint32_t pid) { watched_.erase(pid); }
  void close_all();

  std::uint64_t failures() const { return failures_; }

 private:
  // Events that were opened together.
  struct Family {
    std::vector<Link> links;
  };
  struct Watched {
    std::shared_ptr<Family> family;
    std::uint64_t since_ns = 0;
  };

  Status open_new_threads(std::uint32_t pid, std::map<std::uint32_t, bool>& seen, Family& family) const;

  bpf_program* program_;
  std::map<std::uint32_t, Watched> watched_;  // by pid
  std::uint64_t failures_ = 0;
};

}  // namespace madvtrace
