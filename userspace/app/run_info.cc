// SPDX-License-Identifier: Apache-2.0
#include "app/run_info.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include "app/version.h"
#include "base/clock.h"
#include "kernel/fault_cost.h"

namespace madvtrace {
namespace {

std::uint64_t to_ns(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_usec) * 1000U;
}

std::string tier_of(const Options& options) {
  if (options.refaults) return options.exact ? "refaults+exact" : "refaults";
  return options.exact ? "exact" : "base";
}

std::string yes_or_why_not(const Status& status) { return status ? "yes" : status.error().message; }

}  // namespace

RunInfo describe_run(const Options& options, const Result<DirectMap>& direct_map, const Status& gc_marks,
                     const Status& reclaim_moments) {
  utsname kernel{};
  ::uname(&kernel);
  RunInfo info;
  info.version = version_text();
  info.kernel = std::string(kernel.release) + " " + kernel.machine;
  info.tier = tier_of(options);
  if (options.refaults) info.fault_ns = measure_fault_ns();
  info.argv = options.argv;
  info.labels = options.labels;
  info.capabilities["syscall_tracepoints"] = "yes";
  info.capabilities["page_walk"] = direct_map ? "yes" : direct_map.error().message;
  info.capabilities["gc_marks"] = yes_or_why_not(gc_marks);
  if (options.exact) info.capabilities["reclaim_moments"] = yes_or_why_not(reclaim_moments);
  info.started_mono_ns = mono_now_ns();
  info.started_utc_ns = utc_now_ns();
  return info;
}

RunEnd describe_end(std::uint64_t ended_mono_ns) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  constexpr std::uint64_t kBytesPerKb = 1024;
  return {.ended_mono_ns = ended_mono_ns,
          .self_cpu_ns = to_ns(usage.ru_utime) + to_ns(usage.ru_stime),
          .self_max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * kBytesPerKb};
}

}  // namespace madvtrace
