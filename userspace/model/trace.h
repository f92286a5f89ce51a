// SPDX-License-Identifier: Apache-2.0
// The model of one trace: events in, rows and totals out.
//
//   Event -> apply() -> call assembler -> ledger, stack table -> held rows -> totals, RowSink
//
// Pure: no I/O, no clock, no log. Whatever it knows arrived as an event, so that a
// recording gives the same rows as the live trace did. Fed with anything in any
// order it gives rows that make less sense, and never fails.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "model/call_assembler.h"
#include "model/event.h"
#include "model/event_sink.h"
#include "model/group_counters.h"
#include "model/group_sums.h"
#include "model/held_rows.h"
#include "model/ledger.h"
#include "model/rows.h"
#include "model/rss_ledger.h"
#include "model/stack_table.h"
#include "model/totals.h"

namespace madvtrace {

class Trace : public EventSink, private Ledger::Sink, private HeldRows::Sink, private RssLedger::Sink {
 public:
  explicit Trace(RowSink& sink) : sink_(sink), stacks_(sink), ledger_(*this), rss_(*this), held_(*this) {}

  void apply(const Event& event);
  void on_event(const Event& event) override { apply(event); }

  // Gives out what is still open. After it only totals() may be called.
  void finish();

  const RunTotals& totals() const { return totals_; }
  // Where released pages are still in RSS, for whoever can go and look.
  const Ledger& ledger() const { return ledger_; }

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
  void on_delays(std::uint32_t pid, const DelaysByKind& delays, double overhang_byte_seconds) override;
  void on_returns(std::uint32_t pid, const ReturnTotals& totals) override;
  void on_rss(RssRow row) override;
  void on_rss_totals(std::uint32_t pid, const RssTotals& totals) override;
  void give_out(const CallRow& row, std::size_t process) override;
  void give_out(const ReleaseRow& row) override;
  void notice(const Stamp& stamp);
  bool follows_pages() const;
  void add_calls(CallAssembler::Completed completed);
  void on_memory_gone(std::uint32_t pid, std::uint64_t mono_ns);  // by exit or exec
  void on_process_gone(std::uint32_t pid);                        // whose memory is gone already
  // What becomes of it from here on, nobody will know: what is pending then, in bytes.
  std::uint64_t on_memory_left(std::uint32_t pid, std::uint64_t mono_ns);
  bool is_later_process(const ProcessInfo& event) const;
  GroupTotals& group();
  void add_marker(const Stamp& stamp, CallKind kind, const Comm& comm, std::uint64_t cgroup_id,
                  std::optional<std::int64_t> ret);
  std::uint64_t utc_ns(std::uint64_t mono_ns) const;
  std::size_t process_index(std::uint32_t pid);
  ProcessTotals& process(std::uint32_t pid) { return totals_.processes[process_index(pid)]; }

  RowSink& sink_;
  CallAssembler calls_;
  StackTable stacks_;
  Ledger ledger_;
  RssLedger rss_;
  HeldRows held_;
  RunTotals totals_;
  std::unordered_map<std::uint32_t, std::size_t> live_;  // pid -> index in totals_.processes
  std::unordered_map<std::uint32_t, Stamp> gc_started_;  // pid -> of the collection under way
  GroupSums group_sums_;
  GroupCounters group_counters_;
  std::unordered_map<std::uint32_t, std::uint64_t> left_out_;  // pid -> start, UTC; 0: not known
  std::int64_t utc_minus_mono_ns_ = 0;
  std::uint64_t last_mono_ns_ = 0;  // of any record
  std::uint64_t lost_seen_ = 0;     // in the stamps of records
};

}  // namespace madvtrace
