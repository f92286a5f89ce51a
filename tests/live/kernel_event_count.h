// SPDX-License-Identifier: Apache-2.0
// How often a tracepoint is passed on the whole machine, by the kernel's own count (perf),
// whatever else is attached to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace madvtrace {

class KernelEventCount {
 public:
  // Counts from here on. A kernel without it never passes it.
  KernelEventCount(const std::string& group, const std::string& event);

  std::uint64_t count() const;

 private:
  std::vector<UniqueFd> counters_;  // one a processor
};

}  // namespace madvtrace
