// SPDX-License-Identifier: Apache-2.0
#include "model/trace.h"

#include <algorithm>
#include <variant>

#include "model/memory_limit.h"
#include "model/names.h"

namespace madvtrace {

namespace {

template <class E>
concept Stamped = requires(const E& event) {
  event.stamp.mono_ns;
};

bool is_near_memory_limit(const ProcessTotals& process) {
  const std::optional<Sample>& sample = process.last_sample;
  return sample && near_memory_limit(sample->go.memory_limit_bytes, sample->go.mapped_ready_bytes);
}

// A call by which the runtime gave memory of its heap back, as far as its cause tells.
bool is_release_by_go(const CallRow& row) {
  if (row.call != CallKind::kMadvise || row.ret != 0 || !gives_back(row.advice)) return false;
  return row.cause != Cause::kApp && row.cause != Cause::kMalloc && row.cause != Cause::kCgo;
}

// Two looks at one process, as far as their start times tell. They are computed anew
// each time, from clocks that are read one after the other.
bool same_start(std::uint64_t a_utc_ns, std::uint64_t b_utc_ns) {
  constexpr std::uint64_t kApartNs = 1'000'000'000;
  return a_utc_ns != 0 && b_utc_ns != 0 && std::max(a_utc_ns, b_utc_ns) - std::min(a_utc_ns, b_utc_ns) < kApartNs;
}

// What is counted in no stamp, or not before the next record.
bool can_hide_rss_changes(const std::string& cause) {
  return cause == "rss_ring_full" || cause == "rss_table_full" || cause.starts_with("bad_record");
}

// Of a name as the kernel shows it.
Comm comm_from(const std::string& text) {
  Comm comm{};
  std::copy_n(text.begin(), std::min(text.size(), comm.size()), comm.begin());
  return comm;
}

}  // namespace

void Trace::apply(const Event& event) {
  std::visit(
      [this](const auto& e) {
        if constexpr (Stamped<std::decay_t<decltype(e)>>) notice(e.stamp);
        on(e);
      },
      event);
}

void Trace::notice(const Stamp& stamp) {
  last_mono_ns_ = std::max(last_mono_ns_, stamp.mono_ns);
  if (stamp.lost > lost_seen_) {
    ledger_.on_loss();
    rss_.on_loss();
  }
  lost_seen_ = std::max(lost_seen_, stamp.lost);
  held_.pass(last_mono_ns_);
}

void Trace::on_release(ReleaseRow row, const RowOrigin& origin) {
  row.released_ts_ns = row.released_mono_ns + static_cast<std::uint64_t>(origin.utc_minus_mono_ns);
  held_.add(row, origin);
}

std::uint64_t Trace::utc_ns(std::uint64_t mono_ns) const {
  return mono_ns + static_cast<std::uint64_t>(utc_minus_mono_ns_);
}

std::size_t Trace::process_index(std::uint32_t pid) {
  const auto [found, is_new] = live_.try_emplace(pid, totals_.processes.size());
  if (is_new) totals_.processes.push_back({.pid = pid});
  return found->second;
}

void Trace::add_calls(CallAssembler::Completed completed) {
  for (AssembledCall& call : completed) {
    const std::size_t index = process_index(call.row.pid);
    ProcessTotals& totals = totals_.processes[index];
    if (totals.comm.empty()) totals.comm = comm_text(call.row.comm);
    const RowOrigin origin{.stack = stacks_.use(call.stack_key),
                           .near_memory_limit = is_near_memory_limit(totals),
                           .utc_minus_mono_ns = utc_minus_mono_ns_};
    call.row.ts_ns = utc_ns(call.row.mono_ns);
    call.row.stack_id = origin.stack_id();
    held_.add(call.row, origin, index);
    ledger_.on_returned(call, origin);
  }
}

void Trace::give_out(const CallRow& row, std::size_t process) {
  if (process != HeldRows::kNoProcess) {
    ProcessTotals& totals = totals_.processes[process];
    add_call(totals.calls, row);
    if (is_release_by_go(row)) totals.go_side.on_released(row.len_bytes.value_or(0));
  }
  ++totals_.call_rows;
  sink_.on_call(row);
}

void Trace::give_out(const ReleaseRow& row) { sink_.on_release(row); }

void Trace::add_marker(const Stamp& stamp, CallKind kind, const Comm& comm, std::uint64_t cgroup_id,
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
  held_.add(row, {}, process_index(stamp.pid));
}

void Trace::on(const ReleaseBegin& event) { add_calls(calls_.on_begin(event)); }
void Trace::on(const ReleaseRange& event) { calls_.on_range(event); }
void Trace::on(const ReleaseEnd& event) { add_calls(calls_.on_end(event)); }
void Trace::on(const PlainCall& event) { add_calls(calls_.on_plain(event)); }
void Trace::on_delays(std::uint32_t pid, const DelaysByKind& delays, double overhang_byte_seconds) {
  ProcessTotals& totals = process(pid);
  for (const auto& [kind, part] : delays) totals.delays[kind].add(part);
  totals.overhang_byte_seconds += overhang_byte_seconds;
}

void Trace::on_returns(std::uint32_t pid, const ReturnTotals& totals) { process(pid).returns.add(totals); }

void Trace::on(const Refault& event) {
  ledger_.on_refault(event, calls_.under_way(event.stamp.pid, {event.addr, event.addr + kPageBytes}));
}

void Trace::on(const Reclaimed& event) {
  const AddressRange range = AddressRange::of_call(event.addr, event.pages * kPageBytes);
  ledger_.on_reclaimed(event, calls_.under_way(event.stamp.pid, range));
}

void Trace::on(const RssBegin& event) {
  if (!totals_.info.records_rss()) return;
  process(event.stamp.pid);
  rss_.on_begin(event);
}

void Trace::on(const RssChanges& event) {
  // Asked for just when it ended, what it says can stand behind its end.
  if (!totals_.info.records_rss() || !live_.contains(event.stamp.pid)) return;
  rss_.on_changes(event);
}

void Trace::on_rss(RssRow row) {
  row.ts_ns = utc_ns(row.mono_ns);
  sink_.on_rss(row);
}

void Trace::on_rss_totals(std::uint32_t pid, const RssTotals& totals) { process(pid).rss.add(totals); }

void Trace::on(const Pages& event) {
  if (!event.on_demand) {
    calls_.on_pages(event);
    return;
  }
  const AddressRange chunk{event.chunk_addr, event.chunk_addr + kChunkBytes};
  ledger_.on_look(event, calls_.under_way(event.stamp.pid, chunk));
}

void Trace::on(const Reclaim& event) { ledger_.on_reclaim(event); }
void Trace::on(const Stack& event) { stacks_.add(event); }

void Trace::on(const Frames& event) {
  stacks_.add_frames(event);
  held_.give_out_settled();
}

void Trace::on_memory_gone(std::uint32_t pid, std::uint64_t mono_ns) {
  // Of an exec the other threads ended in it, whatever they were doing.
  add_calls(calls_.on_process_gone(pid));
  ledger_.on_process_gone(pid, mono_ns);
  rss_.on_memory_gone(pid, mono_ns);
  group_sums_.forget(pid);
  gc_started_.erase(pid);
}

void Trace::on_process_gone(std::uint32_t pid) {
  const auto found = live_.find(pid);
  if (found == live_.end()) return;
  ProcessTotals& totals = totals_.processes[found->second];
  if (follows_pages()) totals.pending_bytes = 0;
  totals.ended = true;
  live_.erase(found);
}

void Trace::on(const Fork& event) {
  const auto found = live_.find(event.child_pid);
  // A process of a watched group may have been looked at before its own fork stands in
  // the stream. If the pid was another's before, that one's end was lost.
  const bool known_already =
      found != live_.end() && same_start(totals_.processes[found->second].start_ts_ns, utc_ns(event.stamp.mono_ns));
  if (found != live_.end() && !known_already) {
    on_memory_gone(event.child_pid, event.stamp.mono_ns);
    on_process_gone(event.child_pid);
  }
  if (event.followed) process(event.child_pid);
}

std::uint64_t Trace::on_memory_left(std::uint32_t pid, std::uint64_t mono_ns) {
  add_calls(calls_.on_process_gone(pid));
  const std::uint64_t pending_bytes = ledger_.pending_bytes(pid);
  ledger_.on_process_left(pid, mono_ns);
  rss_.on_memory_left(pid);
  group_sums_.forget(pid);
  gc_started_.erase(pid);
  return pending_bytes;
}

void Trace::on(const Join& event) {
  // Its pid is another's, or its own again, and what became of it meanwhile was lost.
  if (live_.contains(event.stamp.pid)) {
    on_memory_left(event.stamp.pid, event.stamp.mono_ns);
    live_.erase(event.stamp.pid);
  }
  ProcessTotals& totals = process(event.stamp.pid);
  totals.comm = comm_text(event.comm);
  if (event.why == MemberWhy::kForked || event.why == MemberWhy::kMoved) {
    add_marker(event.stamp, CallKind::kGroupJoin, event.comm, event.cgroup_id, std::nullopt);
  } else if (event.why == MemberWhy::kExeced) {
    add_marker(event.stamp, CallKind::kExec, event.comm, event.cgroup_id, std::nullopt);
  }
}

void Trace::on(const Leave& event) {
  const std::uint64_t pending_bytes = on_memory_left(event.stamp.pid, event.stamp.mono_ns);
  ProcessTotals& totals = process(event.stamp.pid);
  if (follows_pages()) totals.pending_bytes = pending_bytes;
  totals.left_group = true;
  add_marker(event.stamp, CallKind::kGroupLeave, event.comm, event.cgroup_id, std::nullopt);
  live_.erase(event.stamp.pid);
}

void Trace::on(const GcMark& event) {
  const Stamp& stamp = event.stamp;
  if (event.is_start) {
    const auto [started, is_first] = gc_started_.try_emplace(stamp.pid, stamp);
    const bool again = !is_first && started->second.tid == stamp.tid && started->second.lost == stamp.lost;
    if (again) return;  // an entry that ran twice: see bpf/records.h
    started->second = stamp;
  } else {
    gc_started_.erase(stamp.pid);
    ++process(stamp.pid).gc_cycles;
  }
  const auto ret = event.trigger ? std::optional(static_cast<std::int64_t>(*event.trigger)) : std::nullopt;
  add_marker(stamp, event.is_start ? CallKind::kGcStart : CallKind::kGcEnd, event.comm, event.cgroup_id, ret);
}

void Trace::on(const Exec& event) {
  on_memory_gone(event.stamp.pid, event.stamp.mono_ns);
  ProcessTotals& totals = process(event.stamp.pid);
  totals.comm = comm_text(event.comm);
  // What was known of it until now was another program's; it may end before anybody
  // has looked at it again.
  totals.exe.clear();
  totals.build_id.clear();
  totals.gc_marks.clear();
  totals.go = {};
  totals.go_side = {};
  totals.go_baseline.reset();
  totals.first_sample.reset();
  totals.last_sample.reset();
  totals.largest_rss_bytes.reset();
  totals.lazyfree_at_start_bytes.reset();
  add_marker(event.stamp, CallKind::kExec, event.comm, event.cgroup_id, std::nullopt);
}

void Trace::on(const Exit& event) {
  on_memory_gone(event.stamp.pid, event.stamp.mono_ns);
  process(event.stamp.pid).wait_status = event.wait_status;
  add_marker(event.stamp, CallKind::kExit, event.comm, event.cgroup_id, event.wait_status);
  on_process_gone(event.stamp.pid);
}

void Trace::on(const RunInfo& event) {
  totals_.info = event;
  totals_.has_info = true;
  if (event.records_refaults()) ledger_.record_returns();
  const auto moments = event.capabilities.find("reclaim_moments");
  if (moments != event.capabilities.end() && moments->second == "yes") ledger_.record_moments();
  utc_minus_mono_ns_ = static_cast<std::int64_t>(event.started_utc_ns - event.started_mono_ns);
}

void Trace::on(const ClockAnchor& event) { utc_minus_mono_ns_ = event.utc_minus_mono_ns; }

// The end of the one that had this pid was lost: it was last looked at before this one
// was there.
bool Trace::is_later_process(const ProcessInfo& event) const {
  const auto found = live_.find(event.stamp.pid);
  if (found == live_.end() || event.start_utc_ns == 0) return false;
  const ProcessTotals& known = totals_.processes[found->second];
  return known.last_sample && !same_start(known.start_ts_ns, event.start_utc_ns) &&
         utc_ns(known.last_sample->stamp.mono_ns) < event.start_utc_ns;
}

void Trace::on(const ProcessInfo& event) {
  if (is_later_process(event)) {
    on_memory_gone(event.stamp.pid, event.stamp.mono_ns);
    on_process_gone(event.stamp.pid);
  }
  // It runs a Go program now.
  const auto left_out = left_out_.find(event.stamp.pid);
  if (left_out != left_out_.end() && same_start(left_out->second, event.start_utc_ns)) {
    left_out_.erase(left_out);
    --group().left_out;
  }
  ProcessTotals& totals = process(event.stamp.pid);
  totals.start_ts_ns = event.start_utc_ns;
  totals.comm = event.comm;
  totals.exe = event.exe;
  totals.build_id = event.build_id;
  totals.cgroup = event.cgroup;
  totals.gc_marks = event.gc_marks;
  totals.go = event.go;
  totals.outside_group = event.outside_group;
}

// Without the page walk nobody can say which lazily freed pages are left.
bool Trace::follows_pages() const {
  const auto found = totals_.info.capabilities.find("page_walk");
  return found != totals_.info.capabilities.end() && found->second == "yes";
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
  // Before it, the goal is of a heap that may have changed since.
  const bool collected = event.go.num_gc > totals.first_sample->go.num_gc;
  if (!totals.go_baseline && totals.first_sample->go.num_gc && collected) totals.go_baseline = event.go;
  if (event.go.heap_idle_bytes && event.go.heap_released_bytes) {
    const std::uint64_t idle = *event.go.heap_idle_bytes;
    totals.go_side.on_sample(event.stamp.mono_ns, idle - std::min(idle, *event.go.heap_released_bytes));
  }
  if (!event.go_dropped.empty()) {
    ++totals.books_dropped;
    totals.books_dropped_why = event.go_dropped;
  }
  if (event.rss_bytes) totals.largest_rss_bytes = std::max(totals.largest_rss_bytes.value_or(0), *event.rss_bytes);
  const SampleRow row{
      .ts_ns = utc_ns(event.stamp.mono_ns),
      .mono_ns = event.stamp.mono_ns,
      .pid = event.stamp.pid,
      .comm = comm_from(totals.comm),
      .pending_bytes = follows_pages() ? std::optional(ledger_.pending_bytes(event.stamp.pid)) : std::nullopt,
      .sample = event};
  if (totals_.group && !totals.outside_group) group_sums_.add(row);
  sink_.on_sample(row);
  ledger_.settle(event.stamp.mono_ns);
}

GroupTotals& Trace::group() {
  if (!totals_.group) totals_.group.emplace();
  return *totals_.group;
}

void Trace::on(const GroupInfo& event) {
  if (totals_.group && (totals_.group->info.id != event.id || totals_.group->info.path != event.path)) {
    group_counters_.start_over();
  }
  group().info = event;
}

void Trace::on(const GroupSample& event) {
  GroupTotals& totals = group();
  SampleRow row = group_sums_.take();
  row.mono_ns = event.stamp.mono_ns;
  row.ts_ns = utc_ns(row.mono_ns);
  row.sample.group = event.charge;
  if (!totals.first_sample) totals.first_sample = row;
  totals.last_sample = row;
  totals.processes = event.processes;
  sink_.on_sample(row);
  for (const GroupHappening& happening : group_counters_.advance(event)) {
    CallRow marker;
    marker.ts_ns = row.ts_ns;
    marker.mono_ns = row.mono_ns;
    marker.cgroup_id = totals.info.id;
    marker.call = happening.kind;
    marker.ret = static_cast<std::int64_t>(std::min<std::uint64_t>(happening.grown, INT64_MAX));
    marker.dur_ns = happening.within_ns;
    marker.quality = Quality::kSampled;
    held_.add(marker, {}, HeldRows::kNoProcess);
  }
  totals.growth = group_counters_.growth();
}

void Trace::on(const LeftOut& event) {
  const auto [found, is_new] = left_out_.try_emplace(event.stamp.pid, event.start_utc_ns);
  // Told of again, after an exec.
  if (!is_new && same_start(found->second, event.start_utc_ns)) return;
  found->second = event.start_utc_ns;
  ++group().left_out;
}

void Trace::on(const Loss& event) {
  if (can_hide_rss_changes(event.cause)) rss_.on_loss();
  totals_.lost[event.cause] += event.count;
}
void Trace::on(const CommandEnd& event) { totals_.command_end = event; }

void Trace::on(const RunEnd& event) {
  totals_.end = event;
  totals_.duration_ns = event.ended_mono_ns - std::min(event.ended_mono_ns, totals_.info.started_mono_ns);
}

void Trace::finish() {
  add_calls(calls_.on_trace_end());
  for (const auto& [pid, index] : live_) {
    if (follows_pages()) totals_.processes[index].pending_bytes = ledger_.pending_bytes(pid);
  }
  ledger_.finish(std::max(last_mono_ns_, totals_.end ? totals_.end->ended_mono_ns : 0));
  rss_.finish();
  if (ledger_.not_conserved() != 0) totals_.lost["ledger_not_conserved"] += ledger_.not_conserved();
  if (ledger_.moments_dropped() != 0) totals_.lost["moments_unmatched"] += ledger_.moments_dropped();
  if (ledger_.refaults_dropped() != 0) totals_.lost["refaults_unmatched"] += ledger_.refaults_dropped();
  held_.finish();
  stacks_.finish();
  for (ProcessTotals& totals : totals_.processes) totals.go_side.finish();
  if (calls_.orphans() != 0) totals_.lost["orphan_records"] += calls_.orphans();
  if (stacks_.overflowed() != 0) totals_.lost["stack_table_full"] += stacks_.overflowed();
}

}  // namespace madvtrace
