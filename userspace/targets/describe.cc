// SPDX-License-Identifier: Apache-2.0
#include "targets/describe.h"

#include <unistd.h>

#include "base/clock.h"
#include "procfs/cgroup.h"

namespace madvtrace {
namespace {

// 0: not known.
std::uint64_t start_utc_ns(const ProcessStat& stat) {
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto since_boot_ns = start_time_ns(stat, ticks);
  if (!since_boot_ns) return 0;
  const std::uint64_t boot_utc_ns = utc_now_ns() - clock_ns(CLOCK_BOOTTIME);
  return boot_utc_ns + *since_boot_ns;
}

}  // namespace

ProcessInfo describe_process(const ProcRoot& proc, const ProcessStat& stat) {
  ProcessInfo info;
  info.stamp.mono_ns = mono_now_ns();
  info.stamp.pid = static_cast<std::uint32_t>(stat.pid);
  info.start_utc_ns = start_utc_ns(stat);
  info.comm = stat.comm;
  if (const auto exe = proc.read_link(stat.pid, "exe")) info.exe = *exe;
  if (const auto cgroups = read_cgroup(proc, stat.pid)) {
    info.cgroup = controller_path(*cgroups, "memory").value_or(unified_path(*cgroups).value_or(""));
  }
  return info;
}

LeftOut describe_left_out(const ProcRoot& proc, std::uint32_t pid_number, const std::string& comm) {
  const auto pid = static_cast<pid_t>(pid_number);
  LeftOut left_out{.stamp = {.mono_ns = mono_now_ns(), .pid = pid_number}, .comm = comm};
  if (const Result<ProcessStat> stat = read_stat(proc, pid)) {
    left_out.start_utc_ns = start_utc_ns(*stat);
    left_out.comm = stat->comm;
  }
  if (const auto exe = proc.read_link(pid, "exe")) left_out.exe = *exe;
  return left_out;
}

}  // namespace madvtrace
