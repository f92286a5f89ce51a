// SPDX-License-Identifier: Apache-2.0
#include "kernel/gc_probes.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "bpf/control.h"
#include "kernel/destroy_together.h"
#include "kernel/many_files.h"

namespace madvtrace {
namespace {

constexpr std::size_t kRetiredAtOnce = 64;

void move_all(std::vector<Uprobe>& from, std::vector<Uprobe>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

Status GcProbes::attach(std::uint32_t pid, const std::string& path, const GcPlaces& places) {
  // Two pairs in one process would tell everything twice.
  if (auto before = attached_.extract(pid)) destroy_together(std::move(before.mapped()));
  if (attached_.size() >= kMostProcesses) {
    return fail(ExitCode::kUnsupported, fmt::format("only {} processes at once", kMostProcesses));
  }
  if (attached_.empty()) allow_many_files();
  // The end first, so that no start is seen of which the end would be missed.
  Result<Uprobe> end = Uprobe::attach(on_end_, pid, path, places.end_offset, 0);
  if (!end) return tl::unexpected(end.error());
  const std::uint64_t cookie = places.has_trigger ? WIRE_GC_TRIGGER_IN_DI : 0;
  Result<Uprobe> start = Uprobe::attach(on_start_, pid, path, places.start_offset, cookie);
  if (!start) return tl::unexpected(start.error());
  std::vector<Uprobe>& probes = attached_[pid];
  probes.push_back(std::move(*start));
  probes.push_back(std::move(*end));
  return {};
}

void GcProbes::detach(std::uint32_t pid) {
  const auto found = attached_.find(pid);
  if (found == attached_.end()) return;
  move_all(found->second, retired_);
  attached_.erase(found);
  if (retired_.size() < kRetiredAtOnce) return;
  destroy_together(std::exchange(retired_, {}));
}

void GcProbes::detach_all() {
  for (auto& [pid, probes] : attached_) move_all(probes, retired_);
  attached_.clear();
  destroy_together(std::exchange(retired_, {}));
}

}  // namespace madvtrace
