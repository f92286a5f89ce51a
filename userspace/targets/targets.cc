// SPDX-License-Identifier: Apache-2.0
#include "targets/targets.h"

#include <utility>
#include <variant>

namespace madvtrace {

void Targets::on_event(const Event& event) {
  if (const auto* fork = std::get_if<Fork>(&event); fork != nullptr && fork->followed) {
    add(Change{.pid = fork->child_pid, .forked = true, .parent_pid = fork->stamp.pid, .mono_ns = fork->stamp.mono_ns});
  }
  if (const auto* exec = std::get_if<Exec>(&event)) changed_.push_back({.pid = exec->stamp.pid});
  if (const auto* join = std::get_if<Join>(&event)) add(join->stamp.pid);
  if (const auto* leave = std::get_if<Leave>(&event)) remove(leave->stamp.pid);
  if (const auto* exit = std::get_if<Exit>(&event)) remove(exit->stamp.pid);
}

void Targets::add(const Change& change) {
  had_any_ = true;
  if (targets_.try_emplace(change.pid).second) changed_.push_back(change);
}

void Targets::remove(std::uint32_t pid) {
  if (targets_.erase(pid) != 0) ended_.push_back(pid);
}

Target* Targets::find(std::uint32_t pid) {
  const auto found = targets_.find(pid);
  return found == targets_.end() ? nullptr : &found->second;
}

std::vector<std::uint32_t> Targets::pids() const {
  std::vector<std::uint32_t> pids;
  pids.reserve(targets_.size());
  for (const auto& [pid, target] : targets_) pids.push_back(pid);
  return pids;
}

std::vector<Targets::Change> Targets::take_changed() { return std::exchange(changed_, {}); }
std::vector<std::uint32_t> Targets::take_ended() { return std::exchange(ended_, {}); }

}  // namespace madvtrace
