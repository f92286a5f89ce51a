// SPDX-License-Identifier: Apache-2.0
// Trace is the model of one trace: events go in, rows and totals come out.
//
//   Event -> apply() -> call assembler -> Process (ledger), stack table -> held rows -> totals, RowSink
//
// It is pure: no I/O, no clock, no log. Whatever it knows arrived as an event, so that a
// recording gives the same rows as the live trace did. Fed with anything in any
// order it gives rows that make less sense, and never fails.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/call_assembler.h"
#include "model/event.h"
#include "model/event_sink.h"
#include "model/group_counters.h"
#include "model/held_rows.h"
#include "model/ledger.h"
#include "model/process.h"
#include "model/releases.h"
#include "model/rows.h"
#include "model/stack_table.h"
#include "model/totals.h"

namespace madvtrace {

class Trace : public EventSink, private ReleaseSink, private HeldRows::Sink {
 public:
  explicit Trace(RowSink& sink) : sink_(sink), stacks_(sink), releases_{.sink = *this}, held_(*this) {}

  void apply(const Event& event);
  void on_event(const Event& event) override { apply(event); }

  // Gives out what is still open. After it only totals() may be called.
  void finish();

  const RunTotals& totals() const { return totals_; }
  // Pages that a process released and that are still in RSS, as far as is known.
  std::uint64_t pending_bytes(std::uint32_t pid) const;
  // For whoever can go and look: the chunks with such pages, and those with pages that have
  // left and may have come back.
  std::vector<std::uint64_t> watched_chunks(std::uint32_t pid) const;
  std::vector<std::uint64_t> left_chunks(std::uint32_t pid) const;

 private:
  void on(const ReleaseBegin& event);
  void on(const ReleaseRange& event);
  void on(const ReleaseEnd& event);
  void on(const PlainCall& event);
  void on(const Pages& event);
  void on(const Refault& event);
  void on(const Reclaimed& event);
  void on(const RssBegin& event);
  void on(const RssChanges& event);
  void on(const Stack& event);
  void on(const Fork& event);
  void on(const Join& event);
  void on(const Leave& event);
  void on(const GcMark& event);
  void on(const Exec& event);
  void on(const Exit& event);
  void on(const RunInfo& event);
  void on(const ClockAnchor& event);
  void on(const ProcessInfo& event);
  void on(const Sample& event);
  void on(const Frames& event);
  void on(const Reclaim& event);
  void on(const Loss& event);
  void on(const CommandEnd& event);
  void on(const RunEnd& event);
  void on(const GroupInfo& event);
  void on(const GroupSample& event);
  void on(const LeftOut& event);

  void on_release(ReleaseRow row, const RowOrigin& origin) override;
  void give_out(const CallRow& row, std::size_t process) override;
  void give_out(const ReleaseRow& row) override;
  void notice(const Stamp& stamp);
  bool follows_pages() const;
  void add_calls(CallAssembler::Completed completed);
  void give_out(std::optional<RssRow> row);
  Process* find(std::uint32_t pid);  // null if nothing is known of it
  const Process* find(std::uint32_t pid) const;
  Process& process(std::uint32_t pid);  // which is new if it was not known
  ProcessTotals& totals(std::uint32_t pid) { return totals_.processes[process(pid).index]; }
  // How the address space of a process comes to its end.
  enum class End {
    kGone,  // by exit or exec
    kLeft   // what becomes of it from here on, nobody will know
  };
  // What was known of the process is in its totals then, whose index this returns.
  std::size_t end(std::uint32_t pid, std::uint64_t mono_ns, End how);
  void mark_ended(ProcessTotals& totals) const;
  SampleRow take_group_sum();
  bool is_later_process(const ProcessInfo& event) const;
  GroupTotals& group();
  void add_marker(const Stamp& stamp, CallKind kind, const Comm& comm, std::uint64_t cgroup_id,
                  std::optional<std::int64_t> ret, std::size_t process);
  std::uint64_t utc_ns(std::uint64_t mono_ns) const;

  RowSink& sink_;
  CallAssembler calls_;
  StackTable stacks_;
  ReleaseContext releases_;
  HeldRows held_;
  RunTotals totals_;
  std::map<std::uint32_t, Process> processes_;  // by pid
  bool rss_after_loss_ = false;                 // a record of a change of RSS may be missing
  GroupCounters group_counters_;
  std::unordered_map<std::uint32_t, std::uint64_t> left_out_;  // pid -> start, UTC; 0: not known
  std::int64_t utc_minus_mono_ns_ = 0;
  std::uint64_t last_mono_ns_ = 0;  // of any record
  std::uint64_t lost_seen_ = 0;     // in the stamps of records
};

}  // namespace madvtrace
