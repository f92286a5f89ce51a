// SPDX-License-Identifier: Apache-2.0
#include "model/trace.h"

#include <algorithm>
#include <variant>

#include "base/losses.h"
#include "model/advice.h"
#include "model/group_sums.h"
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
    releases_.after_loss = true;
    rss_after_loss_ = true;
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

const Process* Trace::find(std::uint32_t pid) const {
  const auto found = processes_.find(pid);
  return found == processes_.end() ? nullptr : &found->second;
}

Process* Trace::find(std::uint32_t pid) {
  const auto found = processes_.find(pid);
  return found == processes_.end() ? nullptr : &found->second;
}

Process& Trace::process(std::uint32_t pid) {
  if (Process* const known = find(pid)) return *known;
  totals_.processes.push_back({.pid = pid});
  return processes_.try_emplace(pid, pid, totals_.processes.size() - 1, releases_).first->second;
}

std::uint64_t Trace::pending_bytes(std::uint32_t pid) const {
  const Process* const known = find(pid);
  return known == nullptr ? 0 : known->ledger.pending_bytes();
}

std::vector<std::uint64_t> Trace::watched_chunks(std::uint32_t pid) const {
  const Process* const known = find(pid);
  return known == nullptr ? std::vector<std::uint64_t>() : known->ledger.watched_chunks();
}

std::vector<std::uint64_t> Trace::left_chunks(std::uint32_t pid) const {
  const Process* const known = find(pid);
  return known == nullptr ? std::vector<std::uint64_t>() : known->ledger.left_chunks();
}

void Trace::add_calls(CallAssembler::Completed completed) {
  for (AssembledCall& call : completed) {
    Process& process = this->process(call.row.pid);
    ProcessTotals& totals = totals_.processes[process.index];
    if (totals.comm.empty()) totals.comm = comm_text(call.row.comm);
    const RowOrigin origin{.stack = stacks_.use(call.stack_key),
                           .near_memory_limit = is_near_memory_limit(totals),
                           .utc_minus_mono_ns = utc_minus_mono_ns_};
    call.row.ts_ns = utc_ns(call.row.mono_ns);
    call.row.stack_id = origin.stack_id();
    held_.add(call.row, origin, process.index);
    process.ledger.on_returned(call, origin);
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
                       std::optional<std::int64_t> ret, std::size_t process) {
  CallRow row;
  row.ts_ns = utc_ns(stamp.mono_ns);
  row.mono_ns = stamp.mono_ns;
  row.pid = stamp.pid;
  row.tid = stamp.tid;
  row.comm = comm;
  row.cgroup_id = cgroup_id;
  row.call = kind;
  row.ret = ret;
  held_.add(row, {}, process);
}

void Trace::on(const ReleaseBegin& event) { add_calls(calls_.on_begin(event)); }
void Trace::on(const ReleaseRange& event) { calls_.on_range(event); }
void Trace::on(const ReleaseEnd& event) { add_calls(calls_.on_end(event)); }
void Trace::on(const PlainCall& event) { add_calls(calls_.on_plain(event)); }

// Of a process that nothing is known of, it means something only to a call under way.
void Trace::on(const Refault& event) {
  const bool under_way = calls_.under_way(event.stamp.pid, {event.addr, event.addr + kPageBytes});
  Process* const known = under_way ? &process(event.stamp.pid) : find(event.stamp.pid);
  if (known != nullptr) known->ledger.on_refault(event, under_way);
}

void Trace::on(const Reclaimed& event) {
  const bool under_way = calls_.under_way(event.stamp.pid, AddressRange::of_call(event.addr, event.pages * kPageBytes));
  Process* const known = under_way ? &process(event.stamp.pid) : find(event.stamp.pid);
  if (known != nullptr) known->ledger.on_reclaimed(event, under_way);
}

void Trace::on(const RssBegin& event) {
  if (totals_.info.records_rss()) process(event.stamp.pid).rss.on_begin(event);
}

void Trace::on(const RssChanges& event) {
  // Asked for just when it ended, what it says can stand behind its end.
  Process* const known = find(event.stamp.pid);
  if (totals_.info.records_rss() && known != nullptr) give_out(known->rss.on_changes(event, rss_after_loss_));
}

void Trace::give_out(std::optional<RssRow> row) {
  if (!row) return;
  row->ts_ns = utc_ns(row->mono_ns);
  sink_.on_rss(*row);
}

void Trace::on(const Pages& event) {
  if (!event.on_demand) {
    calls_.on_pages(event);
    return;
  }
  const AddressRange chunk{event.chunk_addr, event.chunk_addr + kChunkBytes};
  if (Process* const known = find(event.stamp.pid)) {
    known->ledger.on_look(event, calls_.under_way(event.stamp.pid, chunk));
  }
}

void Trace::on(const Reclaim& event) { releases_.reclaims.add(event); }
void Trace::on(const Stack& event) { stacks_.add(event); }

void Trace::on(const Frames& event) {
  stacks_.add_frames(event);
  held_.give_out_settled();
}

std::size_t Trace::end(std::uint32_t pid, std::uint64_t mono_ns, End how) {
  // Of an exec the other threads ended in it, whatever they were doing.
  add_calls(calls_.on_process_gone(pid));
  Process& ending = process(pid);
  const std::size_t index = ending.index;
  if (how == End::kGone) {
    ending.ledger.end(mono_ns);
  } else {
    ending.ledger.end_as_pending(mono_ns);
  }
  ending.ledger.end_returns();
  if (how == End::kGone) give_out(ending.rss.on_memory_gone(mono_ns, rss_after_loss_));
  ending.add_to(totals_.processes[index]);
  processes_.erase(pid);
  return index;
}

void Trace::mark_ended(ProcessTotals& totals) const {
  if (follows_pages()) totals.pending_bytes = 0;
  totals.ended = true;
}

void Trace::on(const Fork& event) {
  const Process* const known = find(event.child_pid);
  // A process of a watched group may have been looked at before its own fork stands in
  // the stream. If the pid was another's before, that one's end was lost.
  const bool known_already =
      known != nullptr && same_start(totals_.processes[known->index].start_ts_ns, utc_ns(event.stamp.mono_ns));
  if (known != nullptr && !known_already) {
    mark_ended(totals_.processes[end(event.child_pid, event.stamp.mono_ns, End::kGone)]);
  }
  if (event.followed) process(event.child_pid);
}

void Trace::on(const Join& event) {
  // Its pid is another's, or its own again, and what became of it meanwhile was lost.
  if (find(event.stamp.pid) != nullptr) end(event.stamp.pid, event.stamp.mono_ns, End::kLeft);
  const std::size_t index = process(event.stamp.pid).index;
  totals_.processes[index].comm = comm_text(event.comm);
  if (event.why == MemberWhy::kForked || event.why == MemberWhy::kMoved) {
    add_marker(event.stamp, CallKind::kGroupJoin, event.comm, event.cgroup_id, std::nullopt, index);
  } else if (event.why == MemberWhy::kExeced) {
    add_marker(event.stamp, CallKind::kExec, event.comm, event.cgroup_id, std::nullopt, index);
  }
}

void Trace::on(const Leave& event) {
  const std::uint64_t pending_bytes = process(event.stamp.pid).ledger.pending_bytes();
  const std::size_t index = end(event.stamp.pid, event.stamp.mono_ns, End::kLeft);
  ProcessTotals& totals = totals_.processes[index];
  if (follows_pages()) totals.pending_bytes = pending_bytes;
  totals.left_group = true;
  add_marker(event.stamp, CallKind::kGroupLeave, event.comm, event.cgroup_id, std::nullopt, index);
}

void Trace::on(const GcMark& event) {
  const Stamp& stamp = event.stamp;
  Process& process = this->process(stamp.pid);
  if (event.is_start) {
    const std::optional<Stamp>& started = process.gc_started;
    const bool again = started && started->tid == stamp.tid && started->lost == stamp.lost;
    if (again) return;  // an entry that ran twice: see bpf/records.h
    process.gc_started = stamp;
  } else {
    process.gc_started.reset();
    ++totals_.processes[process.index].gc_cycles;
  }
  const auto ret = event.trigger ? std::optional(static_cast<std::int64_t>(*event.trigger)) : std::nullopt;
  add_marker(stamp, event.is_start ? CallKind::kGcStart : CallKind::kGcEnd, event.comm, event.cgroup_id, ret,
             process.index);
}

void Trace::on(const Exec& event) {
  const std::size_t index = end(event.stamp.pid, event.stamp.mono_ns, End::kGone);
  processes_.try_emplace(event.stamp.pid, event.stamp.pid, index, releases_);
  ProcessTotals& totals = totals_.processes[index];
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
  add_marker(event.stamp, CallKind::kExec, event.comm, event.cgroup_id, std::nullopt, index);
}

void Trace::on(const Exit& event) {
  const std::size_t index = end(event.stamp.pid, event.stamp.mono_ns, End::kGone);
  totals_.processes[index].wait_status = event.wait_status;
  add_marker(event.stamp, CallKind::kExit, event.comm, event.cgroup_id, event.wait_status, index);
  mark_ended(totals_.processes[index]);
}

void Trace::on(const RunInfo& event) {
  totals_.info = event;
  totals_.has_info = true;
  if (event.records_refaults()) releases_.follows_returns = true;
  const auto moments = event.capabilities.find("reclaim_moments");
  if (moments != event.capabilities.end() && moments->second == "yes") releases_.has_moments = true;
  utc_minus_mono_ns_ = static_cast<std::int64_t>(event.started_utc_ns - event.started_mono_ns);
}

void Trace::on(const ClockAnchor& event) { utc_minus_mono_ns_ = event.utc_minus_mono_ns; }

// The end of the one that had this pid was lost: it was last looked at before this one
// was there.
bool Trace::is_later_process(const ProcessInfo& event) const {
  const Process* const process = find(event.stamp.pid);
  if (process == nullptr || event.start_utc_ns == 0) return false;
  const ProcessTotals& known = totals_.processes[process->index];
  return known.last_sample && !same_start(known.start_ts_ns, event.start_utc_ns) &&
         utc_ns(known.last_sample->stamp.mono_ns) < event.start_utc_ns;
}

void Trace::on(const ProcessInfo& event) {
  if (is_later_process(event)) {
    mark_ended(totals_.processes[end(event.stamp.pid, event.stamp.mono_ns, End::kGone)]);
  }
  // It runs a Go program now.
  const auto left_out = left_out_.find(event.stamp.pid);
  if (left_out != left_out_.end() && same_start(left_out->second, event.start_utc_ns)) {
    left_out_.erase(left_out);
    --group().left_out;
  }
  ProcessTotals& totals = this->totals(event.stamp.pid);
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
  Process* const process = find(event.stamp.pid);
  // It ended while it was being looked at: its pid may be somebody else's by now.
  if (process == nullptr) return;
  ProcessTotals& totals = totals_.processes[process->index];
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
  const SampleRow row{.ts_ns = utc_ns(event.stamp.mono_ns),
                      .mono_ns = event.stamp.mono_ns,
                      .pid = event.stamp.pid,
                      .comm = comm_from(totals.comm),
                      .pending_bytes = follows_pages() ? std::optional(process->ledger.pending_bytes()) : std::nullopt,
                      .sample = event};
  if (totals_.group && !totals.outside_group) process->in_group = group_part(row);
  sink_.on_sample(row);
  for (auto& [pid, each] : processes_) each.ledger.settle(event.stamp.mono_ns);
}

SampleRow Trace::take_group_sum() {
  std::optional<SampleRow> sum;
  for (auto& [pid, process] : processes_) {
    if (process.in_group) add_to_group(sum, *process.in_group);
    process.in_group.reset();
  }
  return sum.value_or(SampleRow{});
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
  SampleRow row = take_group_sum();
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
  if (harm_of(event.cause) == Harm::kRssChanges) rss_after_loss_ = true;
  totals_.lost[event.cause] += event.count;
}
void Trace::on(const CommandEnd& event) { totals_.command_end = event; }

void Trace::on(const RunEnd& event) {
  totals_.end = event;
  totals_.duration_ns = event.ended_mono_ns - std::min(event.ended_mono_ns, totals_.info.started_mono_ns);
}

void Trace::finish() {
  add_calls(calls_.on_trace_end());
  const std::uint64_t end_ns = std::max(last_mono_ns_, totals_.end ? totals_.end->ended_mono_ns : 0);
  for (auto& [pid, process] : processes_) {
    if (follows_pages()) totals_.processes[process.index].pending_bytes = process.ledger.pending_bytes();
    process.ledger.end_as_pending(end_ns);
  }
  for (auto& [pid, process] : processes_) {
    process.ledger.end_returns();
    process.add_to(totals_.processes[process.index]);
  }
  processes_.clear();
  const auto lose = [this](LossCause cause, std::uint64_t count) {
    if (count != 0) totals_.lost[loss_name(cause)] += count;
  };
  lose(LossCause::kLedgerNotConserved, releases_.not_conserved);
  lose(LossCause::kMomentsUnmatched, releases_.moments_dropped);
  lose(LossCause::kRefaultsUnmatched, releases_.refaults_dropped);
  held_.finish();
  stacks_.finish();
  for (ProcessTotals& totals : totals_.processes) totals.go_side.finish();
  lose(LossCause::kOrphanRecords, calls_.orphans());
  lose(LossCause::kStackTableFull, stacks_.overflowed());
}

}  // namespace madvtrace
