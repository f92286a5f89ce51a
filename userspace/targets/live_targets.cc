// SPDX-License-Identifier: Apache-2.0
#include "targets/live_targets.h"

#include <utility>
#include <variant>

namespace madvtrace {

void LiveTargets::on_event(const Event& event) {
  if (const auto* fork = std::get_if<Fork>(&event); fork != nullptr && fork->followed) {
    add(Change{.pid = fork->child_pid, .forked = true, .parent_pid = fork->stamp.pid, .mono_ns = fork->stamp.mono_ns});
  }
  if (const auto* exec = std::get_if<Exec>(&event)) changed_.push_back({.pid = exec->stamp.pid});
  if (const auto* join = std::get_if<Join>(&event)) add(join->stamp.pid);
  if (const auto* leave = std::get_if<Leave>(&event)) remove(leave->stamp.pid);
  if (const auto* exit = std::get_if<Exit>(&event)) remove(exit->stamp.pid);
}

void LiveTargets::add(const Change& change) {
  had_any_ = true;
  if (pids_.insert(change.pid).second) changed_.push_back(change);
}

void LiveTargets::remove(std::uint32_t pid) {
  if (pids_.erase(pid) != 0) ended_.push_back(pid);
}

std::vector<LiveTargets::Change> LiveTargets::take_changed() { return std::exchange(changed_, {}); }
std::vector<std::uint32_t> LiveTargets::take_ended() { return std::exchange(ended_, {}); }

}  // namespace madvtrace
