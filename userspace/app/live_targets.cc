// SPDX-License-Identifier: Apache-2.0
#include "app/live_targets.h"

#include <cstring>
#include <utility>
#include <variant>

#include "bpf/records.h"
#include "stream/decoder.h"

namespace madvtrace {

void LiveTargets::on_record(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return;
  std::memcpy(&header, record.data(), sizeof(header));
  const bool is_life = header.kind == WIRE_FORK || header.kind == WIRE_EXEC || header.kind == WIRE_EXIT ||
                       header.kind == WIRE_JOIN || header.kind == WIRE_LEAVE;
  if (!is_life) return;
  const Decoded decoded = decode_record(record);
  if (!decoded.event) return;
  if (const auto* fork = std::get_if<Fork>(&*decoded.event); fork != nullptr && fork->followed) {
    add(Change{.pid = fork->child_pid, .forked = true, .parent_pid = fork->stamp.pid, .mono_ns = fork->stamp.mono_ns});
  }
  if (const auto* exec = std::get_if<Exec>(&*decoded.event)) changed_.push_back({.pid = exec->stamp.pid});
  if (const auto* join = std::get_if<Join>(&*decoded.event)) add(join->stamp.pid);
  if (const auto* leave = std::get_if<Leave>(&*decoded.event)) remove(leave->stamp.pid);
  if (const auto* exit = std::get_if<Exit>(&*decoded.event)) remove(exit->stamp.pid);
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
