// SPDX-License-Identifier: Apache-2.0
// Keeps, from the stream, the processes that are being traced right now: those that were
// named, the children that the kernel side follows, the members of a cgroup. A process
// whose fork was lost is met by its first stack, or its exec.
//
//   Fork, Join, named --> new --look_at()--> looked at --Exit, Leave, vanished--> destroyed
//                          ^                     |
//                          +-------- Exec -------+
//
// Events only note what has happened. Whatever takes time (files of the process, its
// breakpoints) is done between two drains.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kernel/fault_events.h"
#include "kernel/gc_probes.h"
#include "model/event_sink.h"
#include "procfs/proc_root.h"
#include "targets/program/program.h"
#include "targets/target.h"

namespace madvtrace {

class Targets : public EventSink {
 public:
  // All must outlive this. Null: not to be had here, or not asked for.
  Targets(const ProcRoot& proc, GcProbes* gc_probes, FaultEvents* fault_events)
      : binaries_{.proc = proc}, gc_probes_(gc_probes), fault_events_(fault_events) {}
  ~Targets() override { let_go(); }
  Targets(const Targets&) = delete;
  Targets& operator=(const Targets&) = delete;

  // Adds one that was named. Its page faults are seen from here on, if any are.
  Status add(std::uint32_t pid);
  void on_event(const Event& event) override;

  // They are kept by pid, and may go with the next event.
  std::map<std::uint32_t, Target>& all() { return targets_; }
  std::vector<std::uint32_t> pids() const;  // ascending
  bool empty() const { return targets_.empty(); }
  bool had_any() const { return had_any_; }

  // What a target runs. Null: it is none.
  std::shared_ptr<Program> program_of(std::uint32_t pid) const;
  // Whether a process runs a Go program, target or not; nothing if it is gone, or its
  // program cannot be opened. If it becomes a target next its file is not opened again.
  std::optional<bool> is_go(std::uint32_t pid);

  // Those that are new, or run another program, since the last call. For between two
  // drains: what has ended is cleaned up, which can take a tenth of a second (once in 32 Go
  // programs: GcProbes).
  std::vector<Target*> take_changed();
  // Finds out what such a target is, and sets up all that is seen of it; nothing if it is
  // gone.
  std::optional<ProcessInfo> look_at(Target& target);
  // Those that are gone, whose end the stream did not tell: they are no targets any more.
  std::vector<std::uint32_t> drop_vanished();

  // Takes breakpoints and fault events out of all targets, in the time that a few take, and
  // returns when they are out: before whatever they run is detached.
  void let_go();

 private:
  Target& meet(std::uint32_t pid);
  void on_fork(const Fork& fork);
  void on_exec(std::uint32_t pid);
  void begin_program(Target& target);
  void remove(std::uint32_t pid, Program::State how);
  void watch_faults(Target& target);
  std::string show_collections(Target& target, const GoFacts* go);

  Binaries binaries_;
  GcProbes* gc_probes_;
  FaultEvents* fault_events_;
  std::map<std::uint32_t, Target> targets_;
  std::vector<Target> ended_;           // since the last take_changed()
  std::shared_ptr<Program> looked_at_;  // by is_go()
  std::vector<std::uint32_t> changed_;  // in the order of their first change
  bool had_any_ = false;
};

}  // namespace madvtrace
