// SPDX-License-Identifier: Apache-2.0
// /proc/PID/stat: what `status` does not say, first of all when a process started,
// which with its pid tells it from every other one since boot.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "procfs/proc_root.h"

namespace madvtrace {

struct ProcessStat {
  pid_t pid = 0;
  std::string comm;  // any bytes, also brackets, blanks and newlines, which are not escaped here
  char state = '?';
  pid_t ppid = 0;
  std::uint32_t flags = 0;  // the kernel's PF_*
  std::uint32_t num_threads = 0;
  std::uint64_t start_time_ticks = 0;  // since boot, in the kernel's USER_HZ

  // PF_KTHREAD.
  bool kernel_thread() const { return (flags & 0x0020'0000U) != 0; }
};

// Nothing unless every field up to the 22nd is there and fits. The name ends at the
// last bracket, for it may contain any.
std::optional<ProcessStat> parse_stat(std::string_view text);

Result<ProcessStat> read_stat(const ProcRoot& root, pid_t pid);

// Nanoseconds since boot on CLOCK_BOOTTIME (it counts suspended time, unlike
// CLOCK_MONOTONIC), rounded down to a tick, mostly 10 ms. ticks_per_second is
// sysconf(_SC_CLK_TCK). Nothing if that is 0 or the result does not fit.
std::optional<std::uint64_t> start_time_ns(const ProcessStat& stat, std::uint64_t ticks_per_second);

}  // namespace madvtrace
