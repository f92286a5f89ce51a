// SPDX-License-Identifier: Apache-2.0
// /proc/PID/status: who a process is, and its memory by kind, without stopping it.
//
// The RSS values may lag: from 6.2 to 6.16 the kernel prints the shared part of a
// per-CPU counter, which can be off by what the CPUs have not flushed yet (32 pages
// a CPU or more, for each kind); from 6.17 on it sums the CPUs' parts, so it is
// exact again. Before 6.2 a thread's cached faults (up to 64) were missing.
//
// Not promised: that a file means the same when the thread group's leader has ended
// and other threads have not: the kernel then shows a zombie without memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "procfs/proc_root.h"

namespace madvtrace {

struct ProcessStatus {
  std::string name;  // as the process set it, any bytes: unescaped
  char state = '?';  // R S D T t Z X I
  pid_t tgid = 0;
  pid_t pid = 0;
  pid_t ppid = 0;
  uid_t uid = 0;  // real
  std::optional<pid_t> tracer_pid;
  // The `Kthread:` line, since 6.8. Older: no VmSize and not a zombie, which a process
  // in the middle of its exit looks like too; ProcessStat::kernel_thread is surer.
  bool kernel_thread = false;
  std::optional<std::uint32_t> threads;

  // Empty: not printed (kernel threads, zombies), or not a number that fits.
  std::optional<std::uint64_t> vm_size_bytes;
  std::optional<std::uint64_t> vm_lck_bytes;
  std::optional<std::uint64_t> vm_rss_bytes;
  std::optional<std::uint64_t> rss_anon_bytes;
  std::optional<std::uint64_t> rss_file_bytes;
  std::optional<std::uint64_t> rss_shmem_bytes;
  std::optional<std::uint64_t> page_tables_bytes;  // VmPTE: all levels, since 4.15
  std::optional<std::uint64_t> swap_bytes;
};

// Nothing if Name, State, Tgid, Pid, PPid or Uid is missing or no number. Unknown
// lines are passed over; of a line that comes twice the first counts.
std::optional<ProcessStatus> parse_status(std::string_view text);

Result<ProcessStatus> read_status(const ProcRoot& root, pid_t pid);

}  // namespace madvtrace
