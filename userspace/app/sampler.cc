// SPDX-License-Identifier: Apache-2.0
#include "app/sampler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <vector>

#include "base/clock.h"
#include "procfs/cgroup.h"
#include "procfs/maps.h"
#include "procfs/stat.h"
#include "procfs/status.h"
#include "symbols/symbolizer.h"

namespace madvtrace {

std::optional<Sample> Sampler::sample(std::uint32_t pid, bool always) {
  Sample sample;
  sample.stamp.mono_ns = mono_now_ns();
  sample.stamp.pid = pid;
  const ProcResult<ProcessStatus> status = read_status(proc_, static_cast<pid_t>(pid));
  // A zombie has no memory any more: that is its end, not a sample of zeros.
  if (!status || !status->vm_rss_bytes) return std::nullopt;
  sample.rss_bytes = status->vm_rss_bytes;
  sample.rss_anon_bytes = status->rss_anon_bytes;
  sample.rss_file_bytes = status->rss_file_bytes;
  sample.rss_shmem_bytes = status->rss_shmem_bytes;
  sample.swap_bytes = status->swap_bytes;
  sample.page_tables_bytes = status->page_tables_bytes;
  sample.group = groups_.charge_of(pid);
  if (walker_ != nullptr && (always || budget_.allows())) {
    const std::uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    walk(pid, sample);
    budget_.spend(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns);
  }
  return sample;
}

void Sampler::walk(std::uint32_t pid, Sample& sample) {
  const ProcResult<MapsText> maps = read_maps(proc_, static_cast<pid_t>(pid));
  if (!maps) return;
  std::vector<AddressRange> ranges;
  for (const Mapping& mapping : maps->mappings) {
    if (is_anonymous_private(mapping)) ranges.push_back(mapping.range);
  }
  const std::optional<WalkTotals> totals = walker_->sum(pid, ranges);
  if (!totals) return;
  sample.lazyfree_bytes = totals->clean_pages * kPageBytes;
  sample.anon_huge_bytes = totals->huge_pages * kPageBytes;
}

std::optional<ProcessInfo> describe_process(const ProcRoot& proc, std::uint32_t pid_number) {
  const auto pid = static_cast<pid_t>(pid_number);
  const ProcResult<ProcessStat> stat = read_stat(proc, pid);
  if (!stat) return std::nullopt;
  ProcessInfo info;
  info.stamp.mono_ns = mono_now_ns();
  info.stamp.pid = pid_number;
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  if (const auto since_boot_ns = start_time_ns(*stat, ticks)) {
    const std::uint64_t boot_utc_ns = utc_now_ns() - clock_ns(CLOCK_BOOTTIME);
    info.start_utc_ns = boot_utc_ns + *since_boot_ns;
  }
  info.comm = stat->comm;
  if (const auto exe = proc.read_link(pid, "exe")) info.exe = *exe;
  info.build_id = build_id(fmt::format("/proc/{}/exe", pid));
  if (const auto cgroups = read_cgroup(proc, pid)) {
    info.cgroup = controller_path(*cgroups, "memory").value_or(unified_path(*cgroups).value_or(""));
  }
  return info;
}

}  // namespace madvtrace
