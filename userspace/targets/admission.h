// SPDX-License-Identifier: Apache-2.0
// Which processes of a watched cgroup are followed: all of them, or those that are not
// known to be anything else than Go programs. Stands between the ring and whatever takes
// its records, and lets only theirs pass, each process's from its WIRE_JOIN on.
//
// Decided anew for each program that a process runs. A process that is gone before it can
// be looked at is judged by the file that it ran, if another process of that file has
// been looked at; if not, it is followed, as it may have been Go's.
//
// What a left-out process does until the kernel side is told is thrown away: it was never
// asked for. A process whose WIRE_JOIN was lost is met by its first other record.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "bpf/records.h"
#include "model/event.h"
#include "stream/record_sink.h"

namespace madvtrace {

class Admission : public RecordSink {
 public:
  struct Actions {
    // Whether it runs a Go program; nothing if it is gone.
    std::function<std::optional<bool>(std::uint32_t pid)> is_go;
    // How many programs it has run; nothing if the kernel side does not follow it.
    std::function<std::optional<std::uint32_t>(std::uint32_t pid)> programs_run;
    // False if it runs yet another program by now.
    std::function<bool(std::uint32_t pid, std::uint32_t programs_run)> leave_out;
    // A process, or what it runs now, is not followed.
    std::function<void(std::uint32_t pid, const std::string& comm)> left_out;
  };

  // `go_only`: processes that are not Go's are left out.
  Admission(RecordSink& next, bool go_only, Actions actions)
      : next_(next), go_only_(go_only), actions_(std::move(actions)) {}

  // This process was asked for by its pid: it and its children are followed, whatever
  // they run.
  void name(std::uint32_t pid) { processes_[pid] = State::kNamed; }

  bool is_named(std::uint32_t pid) const {
    const auto found = processes_.find(pid);
    return found != processes_.end() && found->second == State::kNamed;
  }

  // Collector's own records have no business here.
  void on_record(RecordBytes record) override;

 private:
  enum class State : std::uint8_t { kFollowed, kNamed, kLeftOut, kGone };

  static bool passes(State state) { return state == State::kFollowed || state == State::kNamed; }

  void on_fork(RecordBytes record, const wire_header& header, const Fork& fork);
  void on_exec(RecordBytes record, const wire_header& header, const Exec& exec);
  void on_join(RecordBytes record, const Join& join);
  void meet(const wire_header& header);
  bool admit(std::uint32_t pid, const ProgramFile& program);
  bool is_left_out(std::uint32_t pid, const ProgramFile& program);

  RecordSink& next_;
  bool go_only_;
  Actions actions_;
  std::unordered_map<std::uint32_t, State> processes_;  // at most as many as there are pids
  std::map<ProgramFile, bool> is_go_;                   // of programs that were looked at
};

}  // namespace madvtrace
