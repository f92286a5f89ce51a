// SPDX-License-Identifier: Apache-2.0
// A breakpoint that runs a BPF program, in one process, for as long as this exists.
//
// The kernel puts the breakpoint instruction into the address space of that process
// alone (uprobe_perf_filter() in kernel/trace/trace_uprobe.c, uprobe_multi_link_filter()
// in kernel/trace/bpf_trace.c): another process of the same file is not touched. When
// this is destroyed, or this program dies, the kernel takes it out again.
//
// There are two ways. A uprobe_multi link (6.6+; since 6.10 its pid means all threads of
// a process) is detached in one grace period, of which many can be waited for at once. A
// perf event takes several, one after the other for all uprobes of the machine (event_mutex
// in perf_uprobe_destroy()): on 6.18, 400 of them 40 s against 0.2 s.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/hooks.h"

struct bpf_program;

namespace madvtrace {

class Uprobe {
 public:
  // Before the programs are loaded, which has to be for the one way or the other.
  static bool kernel_has_multi();
  static void load_for(bpf_program* program, bool multi);

  // `path` is of ours, to the very file that process `pid` runs: the breakpoint goes
  // wherever `offset` says.
  static Result<Uprobe> attach(const bpf_program* program, std::uint32_t pid, const std::string& path,
                               std::uint64_t offset, std::uint64_t cookie);

 private:
  explicit Uprobe(UniqueFd multi) : multi_(std::move(multi)) {}
  explicit Uprobe(Link link) : link_(std::move(link)) {}

  UniqueFd multi_;
  Link link_;
};

}  // namespace madvtrace
