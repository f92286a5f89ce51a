// SPDX-License-Identifier: Apache-2.0
#include "kernel/gc_probes.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "bpf/control.h"
#include "kernel/destroy_together.h"
#include "kernel/many_files.h"

namespace madvtrace {

GcProbe::GcProbe(GcProbe&& other) noexcept
    : probes_(std::exchange(other.probes_, nullptr)), uprobes_(std::exchange(other.uprobes_, {})) {}

GcProbe& GcProbe::operator=(GcProbe&& other) noexcept {
  std::swap(probes_, other.probes_);
  std::swap(uprobes_, other.uprobes_);
  return *this;
}

GcProbe::~GcProbe() {
  if (probes_ != nullptr) probes_->retire(std::move(uprobes_));
}

Status GcProbes::attach(GcProbe& probe, std::uint32_t pid, const std::string& path, const GcPlaces& places) {
  // Two pairs in one process would tell everything twice.
  if (probe.probes_ != nullptr) --attached_;
  probe.probes_ = nullptr;
  destroy_together(std::exchange(probe.uprobes_, {}));
  if (attached_ >= kMostProcesses) {
    return fail(ExitCode::kUnsupported, fmt::format("only {} processes at once", kMostProcesses));
  }
  if (attached_ == 0) allow_many_files();
  // The end first, so that no start is seen of which the end would be missed.
  MADV_TAKE(Uprobe end, Uprobe::attach(on_end_, pid, path, places.end_offset, 0));
  const std::uint64_t cookie = places.has_trigger ? WIRE_GC_TRIGGER_IN_DI : 0;
  MADV_TAKE(Uprobe start, Uprobe::attach(on_start_, pid, path, places.start_offset, cookie));
  probe.uprobes_.push_back(std::move(start));
  probe.uprobes_.push_back(std::move(end));
  probe.probes_ = this;
  ++attached_;
  return {};
}

void GcProbes::retire(std::vector<Uprobe> uprobes) {
  --attached_;
  retired_.insert(retired_.end(), std::make_move_iterator(uprobes.begin()), std::make_move_iterator(uprobes.end()));
}

void GcProbes::detach_retired(std::size_t at_least) {
  if (retired_.size() >= at_least) destroy_together(std::exchange(retired_, {}));
}

}  // namespace madvtrace
