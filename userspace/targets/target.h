// SPDX-License-Identifier: Apache-2.0
// A target is one process that is being traced, with all that is held of it while it lives.
// When it is destroyed all of that ends: nobody else has to be told.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "kernel/fault_events.h"
#include "kernel/gc_probes.h"
#include "kernel/reclaim_sums.h"
#include "targets/go_runtime.h"
#include "targets/program/program.h"

namespace madvtrace {

struct Target {
  std::uint32_t pid = 0;
  // Of /proc/PID/stat: what tells it from others that have had its pid. Empty until it has
  // been looked at.
  std::optional<std::uint64_t> start_ticks;
  bool changed = true;  // it is new or runs another program, and has not been looked at since
  bool forked = false;  // it runs the program of its parent still

  std::shared_ptr<Program> program;  // that it runs now; its stacks hold it as well
  std::optional<GoRuntime> runtime;  // of that program, once it has been looked at
  GcProbe gc_probe;                  // in that program, or in the last one until then
  FaultWatch faults;                 // through all of its programs
  ReclaimSum reclaims;               // its own, as they were noticed last
};

}  // namespace madvtrace
