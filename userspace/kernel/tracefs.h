// SPDX-License-Identifier: Apache-2.0
// Where the numbers of tracepoints are. Uses the mounted tracefs if there is one;
// otherwise a mount of its own that is attached nowhere (fsmount(2), 5.2+), so that
// nothing on the host changes.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace madvtrace {

class TraceFs {
 public:
  static Result<TraceFs> open();

  // The number perf_event_open(2) knows the event by. Fails with kUnsupported if the
  // kernel has no such event.
  Result<std::uint64_t> event_id(const std::string& group, const std::string& event) const;

 private:
  explicit TraceFs(UniqueFd root) : root_(std::move(root)) {}
  UniqueFd root_;
};

}  // namespace madvtrace
