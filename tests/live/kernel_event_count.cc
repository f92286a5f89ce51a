// SPDX-License-Identifier: Apache-2.0
#include "tests/live/kernel_event_count.h"

#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/tracefs.h"

namespace madvtrace {

KernelEventCount::KernelEventCount(const std::string& group, const std::string& event) {
  const Result<TraceFs> tracefs = TraceFs::open();
  const Result<std::uint64_t> id = tracefs ? tracefs->event_id(group, event) : tl::unexpected(tracefs.error());
  if (!id) return;
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = *id;
  for (long cpu = 0; cpu < ::sysconf(_SC_NPROCESSORS_ONLN); ++cpu) {
    counters_.emplace_back(
        static_cast<int>(::syscall(SYS_perf_event_open, &attributes, /*pid=*/-1, cpu, /*group=*/-1, 0UL)));
    EXPECT_TRUE(counters_.back()) << "processor " << cpu;
  }
}

std::uint64_t KernelEventCount::count() const {
  std::uint64_t sum = 0;
  for (const UniqueFd& counter : counters_) {
    std::uint64_t one = 0;
    EXPECT_EQ(::read(counter.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    sum += one;
  }
  return sum;
}

}  // namespace madvtrace
