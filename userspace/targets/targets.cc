// SPDX-License-Identifier: Apache-2.0
#include "targets/targets.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

#include "procfs/stat.h"
#include "targets/describe.h"

namespace madvtrace {

Status Targets::add(std::uint32_t pid) {
  Target& target = meet(pid);
  if (fault_events_ == nullptr) return {};
  MADV_TAKE(target.faults, fault_events_->watch(pid));
  return {};
}

void Targets::on_event(const Event& event) {
  if (const auto* stack = std::get_if<Stack>(&event)) meet(stack->stamp.pid);
  if (const auto* join = std::get_if<Join>(&event)) meet(join->stamp.pid);
  if (const auto* fork = std::get_if<Fork>(&event); fork != nullptr && fork->followed) on_fork(*fork);
  if (const auto* exec = std::get_if<Exec>(&event)) on_exec(exec->stamp.pid);
  if (const auto* leave = std::get_if<Leave>(&event)) remove(leave->stamp.pid, Program::State::kRuns);
  if (const auto* exit = std::get_if<Exit>(&event)) remove(exit->stamp.pid, Program::State::kExited);
}

void Targets::on_fork(const Fork& fork) {
  if (targets_.contains(fork.child_pid)) return;
  Target& child = meet(fork.child_pid);
  child.forked = true;
  const auto parent = targets_.find(fork.stamp.pid);
  if (parent != targets_.end()) child.faults = parent->second.faults.of_child(fork.stamp.mono_ns);
}

void Targets::on_exec(std::uint32_t pid) {
  const auto found = targets_.find(pid);
  if (found == targets_.end()) {
    meet(pid);
    return;
  }
  Target& target = found->second;
  target.program->end(Program::State::kReplaced);
  begin_program(target);
  target.forked = false;
  if (!std::exchange(target.changed, true)) changed_.push_back(pid);
}

Target& Targets::meet(std::uint32_t pid) {
  const auto [found, is_new] = targets_.try_emplace(pid);
  Target& target = found->second;
  if (!is_new) return target;
  had_any_ = true;
  target.pid = pid;
  begin_program(target);
  changed_.push_back(pid);
  return target;
}

std::vector<std::uint32_t> Targets::pids() const {
  std::vector<std::uint32_t> pids;
  pids.reserve(targets_.size());
  for (const auto& [pid, target] : targets_) pids.push_back(pid);
  return pids;
}

void Targets::begin_program(Target& target) {
  const bool known = looked_at_ && looked_at_->pid() == target.pid;
  target.program = known ? std::move(looked_at_) : std::make_shared<Program>(binaries_, target.pid);
  looked_at_.reset();
  target.runtime.reset();
}

void Targets::remove(std::uint32_t pid, Program::State how) {
  auto target = targets_.extract(pid);
  if (!target) return;
  target.mapped().program->end(how);
  ended_.push_back(std::move(target.mapped()));
}

std::shared_ptr<Program> Targets::program_of(std::uint32_t pid) const {
  const auto found = targets_.find(pid);
  return found != targets_.end() ? found->second.program : nullptr;
}

std::optional<bool> Targets::is_go(std::uint32_t pid) {
  looked_at_ = std::make_shared<Program>(binaries_, pid);
  return looked_at_->is_go();
}

std::vector<Target*> Targets::take_changed() {
  ended_.clear();
  if (gc_probes_ != nullptr) gc_probes_->detach_retired(GcProbes::kManyRetired);
  looked_at_.reset();
  std::vector<Target*> changed;
  for (const std::uint32_t pid : std::exchange(changed_, {})) {
    const auto found = targets_.find(pid);
    // One that has ended meanwhile may have had the same pid.
    if (found != targets_.end() && std::exchange(found->second.changed, false)) changed.push_back(&found->second);
  }
  return changed;
}

std::optional<ProcessInfo> Targets::look_at(Target& target) {
  watch_faults(target);
  const Result<ProcessStat> stat = read_stat(binaries_.proc, static_cast<pid_t>(target.pid));
  if (!stat) return std::nullopt;
  target.start_ticks = stat->start_time_ticks;
  ProcessInfo info = describe_process(binaries_.proc, *stat);
  const std::optional<ProgramFacts> facts = target.program->facts();
  if (facts) info.build_id = facts->build_id;
  // A child that a Go program has forked collects nothing before its exec; until then its
  // address space may even be its parent's (vfork).
  if (!target.forked) {
    const GoFacts* const go = facts && facts->go ? &*facts->go : nullptr;
    info.gc_marks = show_collections(target, go);
    if (go != nullptr) {
      info.go = target.runtime.emplace(binaries_.proc, target.pid, *go, target.program->books()).program();
    }
  }
  target.program->close_file();
  return info;
}

void Targets::watch_faults(Target& target) {
  if (fault_events_ == nullptr || target.faults) return;
  if (Result<FaultWatch> watch = fault_events_->watch(target.pid)) {
    target.faults = std::move(*watch);
  } else {
    spdlog::warn("pid {}: refaults are not seen: {}", target.pid, watch.error().message);
  }
}

// "yes", or why not; nothing if it is no Go program.
std::string Targets::show_collections(Target& target, const GoFacts* go) {
  if (gc_probes_ == nullptr) return "";
  if (go == nullptr || !go->gc_functions) {
    target.gc_probe = GcProbe();  // of the program before
    return go != nullptr ? "the functions of its garbage collector were not found" : "";
  }
  // By the file that was looked into: a breakpoint at these offsets would break another.
  const Status attached = gc_probes_->attach(target.gc_probe, target.pid, target.program->path(),
                                             {.start_offset = go->gc_functions->start_offset,
                                              .end_offset = go->gc_functions->end_offset,
                                              .has_trigger = go->gc_functions->has_trigger});
  if (!attached) spdlog::debug("process {}: no garbage collections: {}", target.pid, attached.error().message);
  return attached ? "yes" : attached.error().message;
}

std::vector<std::uint32_t> Targets::drop_vanished() {
  std::vector<std::uint32_t> vanished;
  for (const auto& [pid, target] : targets_) {
    const Result<ProcessStat> stat = read_stat(binaries_.proc, static_cast<pid_t>(pid));
    const bool is_gone = !stat && stat.error().failure == Failure::kGone;
    const bool is_another = stat && target.start_ticks && stat->start_time_ticks != *target.start_ticks;
    if (is_gone || is_another) vanished.push_back(pid);
  }
  for (const std::uint32_t pid : vanished) remove(pid, Program::State::kExited);
  return vanished;
}

void Targets::let_go() {
  std::vector<FaultWatch> watches;
  for (auto& [pid, target] : targets_) {
    target.gc_probe = GcProbe();
    watches.push_back(std::exchange(target.faults, {}));
  }
  ended_.clear();
  FaultEvents::end(watches);
  if (gc_probes_ != nullptr) gc_probes_->detach_retired();
}

}  // namespace madvtrace
