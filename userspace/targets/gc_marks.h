// SPDX-License-Identifier: Apache-2.0
// Shows the garbage collections of the Go programs among the targets: finds the places
// in their files and has them probed while the process is a target.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kernel/gc_probes.h"
#include "targets/go_modules.h"
#include "targets/program.h"

namespace madvtrace {

class GcMarks {
 public:
  // `probes` must outlive this.
  explicit GcMarks(GcProbes& probes) : probes_(probes) {}

  // Of a new target, or of one that runs another program now: "yes", or why not; nothing
  // if it is no Go program.
  std::string attach(std::uint32_t pid, const Program& program);
  // Of a process that has ended.
  void detach(std::uint32_t pid) { probes_.detach(pid); }

 private:
  const std::optional<GcPlaces>& places(const std::shared_ptr<const GoModule>& module);

  GcProbes& probes_;
  std::map<std::shared_ptr<const GoModule>, std::optional<GcPlaces>> places_;
};

}  // namespace madvtrace
