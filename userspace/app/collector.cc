// SPDX-License-Identifier: Apache-2.0
#include "app/collector.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "stream/collector_record.h"
#include "targets/describe.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kSymbolsAtOnceNs = 10'000'000;
constexpr std::uint64_t kSymbolsAtEndNs = 5'000'000'000;

}  // namespace

Collector::Collector(BpfSession& session, const ProcRoot& proc, Outputs& outputs,
                     std::optional<RecordingWriter> recording, double walk_budget)
    : session_(session),
      proc_(proc),
      outputs_(outputs),
      recording_(std::move(recording)),
      trace_(outputs),
      targets_(proc, session.gc_probes(), session.fault_events()),
      stacks_(targets_),
      look_budget_(walk_budget / 2),
      sample_budget_(walk_budget / 2),
      groups_(proc),
      sampler_(proc, session.walker(), sample_budget_, groups_),
      decoder_({&trace_, &targets_, &stacks_}),
      reclaim_watch_(session.reclaims(), mono_now_ns()),
      budget_passed_ns_(mono_now_ns()) {
  if (recording_) tee_.add(*recording_);
  tee_.add(decoder_);
}

void Collector::emit(const Event& event) {
  const std::string record = encode_record(event, mono_now_ns());
  if (!record.empty()) tee_.on_record(std::as_bytes(std::span(record)));
}

Status Collector::watch_group(const FoundGroup& group, const std::string& name, bool go_only) {
  group_.emplace("", proc_, group);
  emit(group_->info(name, go_only));
  admission_.emplace(
      tee_, go_only,
      Admission::Actions{
          .is_go = [this](std::uint32_t pid) { return targets_.is_go(pid); },
          .programs_run = [this](std::uint32_t pid) { return session_.programs_run(pid); },
          .leave_out = [this](std::uint32_t pid, std::uint32_t programs) { return session_.leave_out(pid, programs); },
          .left_out = [this](std::uint32_t pid,
                             const std::string& comm) { emit(describe_left_out(proc_, pid, comm)); }});
  for (const std::uint32_t pid : targets_.pids()) admission_->name(pid);
  return session_.watch_group(group.id, group.controllers);
}

Result<bool> Collector::drain(bool all) {
  // Before the calls that may find the pages gone that were reclaimed.
  notice_reclaim();
  RingSource& ring = session_.ring();
  RecordSink& sink = admission_ ? static_cast<RecordSink&>(*admission_) : tee_;
  MADV_TRY(all ? ring.drain_all(sink) : ring.drain(sink));
  if (!ring.more()) {
    for (const Frames& frames : stacks_.take_ready()) emit(frames);
    look_at_changed();
    stacks_.work(kSymbolsAtOnceNs);
  }
  return ring.more();
}

void Collector::notice_reclaim() {
  const auto of_targets = [this] {
    std::vector<ReclaimWatch::OfTarget> all;
    for (auto& [pid, target] : targets_.all()) {
      all.push_back({.pid = pid, .noticed = target.reclaims, .now = session_.reclaims_by(pid)});
    }
    return all;
  };
  const ReclaimSums sums = session_.reclaims();
  for (const Reclaim& reclaim : reclaim_watch_.notice(sums, of_targets, mono_now_ns())) {
    reclaimed_since_look_ = true;
    emit(reclaim);
  }
}

void Collector::pass_budgets() {
  const std::uint64_t now_ns = mono_now_ns();
  look_budget_.pass(now_ns - budget_passed_ns_);
  sample_budget_.pass(now_ns - budget_passed_ns_);
  budget_passed_ns_ = now_ns;
}

// The kernel side answers through the ring, so that a look stands in the stream behind
// every call that came before it.
Status Collector::look_at_watched(bool always) {
  PageWalker* walker = session_.walker();
  pass_budgets();
  if (walker == nullptr || (!always && !look_budget_.allows())) return {};
  reclaimed_since_look_ = false;
  for (const std::uint32_t pid : targets_.pids()) {
    MADV_TRY(look_at(pid, trace_.watched_chunks(pid)));
  }
  return {};
}

Status Collector::look_at(std::uint32_t pid, std::span<const std::uint64_t> chunks) {
  while (!chunks.empty()) {
    const std::span<const std::uint64_t> batch = chunks.first(std::min(chunks.size(), PageWalker::kChunksAtOnce));
    chunks = chunks.subspan(batch.size());
    const std::uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    const bool looked = session_.walker()->look(pid, batch);
    look_budget_.spend(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns);
    if (!looked) break;
    MADV_TRY(drain(/*all=*/false));
  }
  return {};
}

// For pages that came back without a fault of their own: in a huge page, or by the
// kernel's hand. What is not reached within the budget comes first the next time.
Status Collector::look_at_left(bool always) {
  if (session_.fault_events() == nullptr || session_.walker() == nullptr) return {};
  session_.make_room_for_released();
  pass_budgets();
  // Each once, beginning where the last time stopped.
  std::vector<std::uint32_t> order = targets_.pids();
  std::rotate(order.begin(), std::lower_bound(order.begin(), order.end(), next_left_.first), order.end());
  for (const std::uint32_t pid : order) {
    const std::vector<std::uint64_t> chunks = trace_.left_chunks(pid);
    std::span<const std::uint64_t> left = chunks;
    if (pid == next_left_.first) {
      const auto resumed = std::lower_bound(chunks.begin(), chunks.end(), next_left_.second);
      left = left.subspan(static_cast<std::size_t>(resumed - chunks.begin()));
    }
    for (std::size_t batch = 0; !left.empty(); left = left.subspan(batch)) {
      if (!always && !look_budget_.allows()) {
        next_left_ = {pid, left.front()};
        return {};
      }
      batch = std::min(left.size(), PageWalker::kChunksAtOnce);
      MADV_TRY(look_at(pid, left.first(batch)));
    }
  }
  next_left_ = {};
  return {};
}

// What has changed RSS, through the ring: so it stands in the stream where it was counted.
Status Collector::tell_rss() {
  if (!session_.records_rss()) return {};
  for (const std::uint32_t pid : targets_.pids()) session_.tell_rss(pid);
  MADV_TRY(drain(/*all=*/false));
  return {};
}

Status Collector::last_look() {
  // Not all of it: the targets still write, perhaps faster than this reads.
  MADV_TRY(drain(/*all=*/false));
  const Status looked = look_at_watched(/*always=*/true).and_then([this] { return look_at_left(/*always=*/true); });
  sample_all(/*always=*/true);
  if (!looked) return looked;
  return tell_rss();
}

Status Collector::look_if_reclaimed() { return reclaimed_since_look_ ? look_at_watched(/*always=*/false) : Status{}; }

void Collector::look_at_changed() {
  for (Target* const target : targets_.take_changed()) {
    if (std::optional<ProcessInfo> info = targets_.look_at(*target)) {
      // The kernel side has said of the others that they are in the group.
      if (group_) info->outside_group = admission_->is_named(target->pid) && !group_->contains(target->pid);
      emit(*info);
    }
    sample(*target, /*always=*/false);
  }
  // What the counters grow by is from here on.
  if (!group_sampled_) sample_group();
}

void Collector::sample_group() {
  if (const auto sample = group_ ? group_->sample() : std::nullopt) {
    emit(*sample);
    group_sampled_ = true;
  }
}

void Collector::sample(Target& target, bool always) {
  if (const std::optional<Sample> sample = sampler_.sample(target, always)) emit(*sample);
}

void Collector::sample_all(bool always) {
  groups_.new_interval();
  for (auto& [pid, target] : targets_.all()) sample(target, always);
  sample_group();
}

void Collector::emit_clock() {
  const auto mono_ns = static_cast<std::int64_t>(mono_now_ns());
  emit(ClockAnchor{.utc_minus_mono_ns = static_cast<std::int64_t>(utc_now_ns()) - mono_ns});
}

void Collector::emit_losses() {
  for (const auto& [cause, count] : session_.losses()) {
    std::uint64_t& told = losses_told_[cause];
    if (count > told) emit(Loss{.cause = cause, .count = count - told});
    told = count;
  }
}

std::uint64_t Collector::lost() const {
  std::uint64_t sum = 0;
  for (const auto& [cause, count] : trace_.totals().lost) sum += count;
  return sum;
}

Status Collector::tick() {
  emit_clock();
  notice_reclaim();
  MADV_TRY(look_at_watched(/*always=*/false));
  MADV_TRY(look_at_left(/*always=*/false));
  MADV_TRY(tell_rss());
  sample_all(/*always=*/false);
  emit_losses();
  for (const std::uint32_t pid : targets_.drop_vanished()) session_.remove_target(pid);
  if (recording_) recording_->flush();
  outputs_.end_interval(lost());
  return {};
}

void Collector::finish(const RunEnd& end) {
  for (const Frames& frames : stacks_.take_ready()) emit(frames);
  stacks_.work(kSymbolsAtEndNs);
  for (const Frames& frames : stacks_.take_ready()) emit(frames);
  emit_losses();
  emit(end);
  if (recording_) recording_->flush();
  trace_.finish();
  outputs_.finish(trace_.totals());
}

Status Collector::written() const {
  MADV_TRY(outputs_.status());
  if (recording_ && recording_->file().failed()) {
    return fail(errno_text("cannot write " + recording_->file().name(), recording_->file().error()) +
                "; the recording is whole up to there");
  }
  return {};
}

}  // namespace madvtrace
