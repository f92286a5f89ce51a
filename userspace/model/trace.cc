// SPDX-License-Identifier: Apache-2.0
#include "model/trace.h"

#include <algorithm>
#include <variant>

namespace madvtrace {

std::string comm_text(const Comm& comm) { return {comm.begin(), std::find(comm.begin(), comm.end(), '\0')}; }

void Trace::apply(const Event& event) {
  std::visit([this](const auto& e) { on(e); }, event);
}

std::uint64_t Trace::utc_ns(std::uint64_t mono_ns) const {
  return mono_ns + static_cast<std::uint64_t>(utc_minus_mono_ns_);
}

ProcessTotals& Trace::process(std::uint32_t pid) {
  const auto [found, is_new] = live_.try_emplace(pid, totals_.processes.size());
  if (is_new) totals_.processes.push_back({.pid = pid});
  return totals_.processes[found->second];
}

void Trace::give_out(CallAssembler::Completed completed) {
  for (AssembledCall& call : completed) {
    call.row.ts_ns = utc_ns(call.row.mono_ns);
    call.row.stack_id = stacks_.id_of(call.stack_key);
    ProcessTotals& totals = process(call.row.pid);
    if (totals.comm.empty()) totals.comm = comm_text(call.row.comm);
    add_call(totals.calls, call.row);
    ++totals_.call_rows;
    sink_.on_call(call.row);
  }
}

void Trace::give_out_marker(const Stamp& stamp, CallKind kind, const Comm& comm, std::uint64_t cgroup_id,
                            std::optional<std::int64_t> ret) {
  CallRow row;
  row.ts_ns = utc_ns(stamp.mono_ns);
  row.mono_ns = stamp.mono_ns;
  row.pid = stamp.pid;
  row.tid = stamp.tid;
  row.comm = comm;
  row.cgroup_id = cgroup_id;
  row.call = kind;
  row.ret = ret;
  ++totals_.call_rows;
  sink_.on_call(row);
}

void Trace::on(const ReleaseBegin& event) { give_out(calls_.on_begin(event)); }
void Trace::on(const ReleaseRange& event) { calls_.on_range(event); }
void Trace::on(const ReleaseEnd& event) { give_out(calls_.on_end(event)); }
void Trace::on(const PlainCall& event) { give_out(calls_.on_plain(event)); }
void Trace::on(const Stack& event) { stacks_.add(event); }
void Trace::on(const Frames& event) { stacks_.add_frames(event); }

void Trace::on(const Fork& event) {
  // If its pid was another's before, that one's end was lost.
  live_.erase(event.child_pid);
  if (event.followed) process(event.child_pid);
}

void Trace::on(const Exec& event) {
  // The other threads ended in the exec, whatever they were doing.
  give_out(calls_.on_process_gone(event.stamp.pid));
  ProcessTotals& totals = process(event.stamp.pid);
  totals.comm = comm_text(event.comm);
  // What was known of it until now was another program's; it may end before anybody
  // has looked at it again.
  totals.exe.clear();
  totals.build_id.clear();
  totals.first_sample.reset();
  totals.last_sample.reset();
  totals.largest_rss_bytes.reset();
  totals.lazyfree_at_start_bytes.reset();
  give_out_marker(event.stamp, CallKind::kExec, event.comm, event.cgroup_id, std::nullopt);
}

void Trace::on(const Exit& event) {
  give_out(calls_.on_process_gone(event.stamp.pid));
  ProcessTotals& totals = process(event.stamp.pid);
  totals.ended = true;
  totals.wait_status = event.wait_status;
  live_.erase(event.stamp.pid);
  give_out_marker(event.stamp, CallKind::kExit, event.comm, event.cgroup_id, event.wait_status);
}

void Trace::on(const RunInfo& event) {
  totals_.info = event;
  totals_.has_info = true;
  utc_minus_mono_ns_ = static_cast<std::int64_t>(event.started_utc_ns - event.started_mono_ns);
}

void Trace::on(const ClockAnchor& event) { utc_minus_mono_ns_ = event.utc_minus_mono_ns; }

void Trace::on(const ProcessInfo& event) {
  ProcessTotals& totals = process(event.stamp.pid);
  totals.start_ts_ns = event.start_utc_ns;
  totals.comm = event.comm;
  totals.exe = event.exe;
  totals.build_id = event.build_id;
  totals.cgroup = event.cgroup;
}

void Trace::on(const Sample& event) {
  const auto found = live_.find(event.stamp.pid);
  // It ended while it was being looked at: its pid may be somebody else's by now.
  if (found == live_.end()) return;
  ProcessTotals& totals = totals_.processes[found->second];
  if (!totals.first_sample) {
    totals.first_sample = event;
    totals.lazyfree_at_start_bytes = event.lazyfree_bytes;
  }
  totals.last_sample = event;
  if (event.rss_bytes) totals.largest_rss_bytes = std::max(totals.largest_rss_bytes.value_or(0), *event.rss_bytes);
  sink_.on_sample(
      {.ts_ns = utc_ns(event.stamp.mono_ns), .mono_ns = event.stamp.mono_ns, .pid = event.stamp.pid, .sample = event});
}

void Trace::on(const Loss& event) { totals_.lost[event.cause] += event.count; }
void Trace::on(const CommandEnd& event) { totals_.command_end = event; }

void Trace::on(const RunEnd& event) {
  totals_.end = event;
  totals_.duration_ns = event.ended_mono_ns - std::min(event.ended_mono_ns, totals_.info.started_mono_ns);
}

void Trace::finish() {
  give_out(calls_.on_trace_end());
  stacks_.finish();
  if (calls_.orphans() != 0) totals_.lost["orphan_records"] += calls_.orphans();
  if (stacks_.overflowed() != 0) totals_.lost["stack_table_full"] += stacks_.overflowed();
}

}  // namespace madvtrace
