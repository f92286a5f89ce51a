// SPDX-License-Identifier: Apache-2.0
#include "app/collector.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX

#include <cerrno>
#include <cstddef>
#include <span>
#include <vector>

#include "base/clock.h"
#include "stream/collector_record.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kSymbolsAtOnceNs = 10'000'000;
constexpr std::uint64_t kSymbolsAtEndNs = 5'000'000'000;

}  // namespace

Collector::Collector(BpfSession& session, const ProcRoot& proc, Outputs& outputs,
                     std::optional<RecordingWriter> recording)
    : session_(session),
      proc_(proc),
      outputs_(outputs),
      recording_(std::move(recording)),
      trace_(outputs),
      pipeline_(trace_),
      sampler_(proc, session.walker()) {
  if (recording_) tee_.add(*recording_);
  tee_.add(pipeline_);
  tee_.add(targets_);
  tee_.add(stacks_);
}

void Collector::emit(const Event& event) {
  const std::string record = encode_record(event, mono_now_ns());
  if (!record.empty()) tee_.on_record(std::as_bytes(std::span(record)));
}

Result<bool> Collector::drain(bool all) {
  RingSource& ring = session_.ring();
  const Status status = all ? ring.drain_all(tee_) : ring.drain(tee_);
  if (!status) return tl::unexpected(status.error());
  if (!ring.more()) {
    for (const Frames& frames : stacks_.take_ready()) emit(frames);
    look_at_changed_processes();
    stacks_.work(kSymbolsAtOnceNs);
  }
  return ring.more();
}

void Collector::look_at_changed_processes() {
  for (const std::uint32_t pid : targets_.take_changed()) {
    if (!targets_.pids().contains(pid)) continue;
    if (const auto info = describe_process(proc_, pid)) emit(*info);
    if (const auto sample = sampler_.sample(pid, /*always=*/false)) emit(*sample);
  }
}

void Collector::sample_all(bool always) {
  for (const std::uint32_t pid : targets_.pids()) {
    if (const auto sample = sampler_.sample(pid, always)) emit(*sample);
  }
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

// Their exit was lost, or nobody told.
void Collector::drop_vanished() {
  std::vector<std::uint32_t> vanished;
  for (const std::uint32_t pid : targets_.pids()) {
    if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) vanished.push_back(pid);
  }
  for (const std::uint32_t pid : vanished) {
    targets_.remove(pid);
    session_.remove_target(pid);
  }
}

std::uint64_t Collector::lost() const {
  std::uint64_t sum = 0;
  for (const auto& [cause, count] : trace_.totals().lost) sum += count;
  return sum;
}

void Collector::tick(std::uint64_t elapsed_ns) {
  emit_clock();
  sampler_.begin_round(elapsed_ns);
  sample_all(/*always=*/false);
  emit_losses();
  drop_vanished();
  if (recording_) recording_->flush();
  outputs_.end_interval(lost());
}

void Collector::finish(const RunEnd& end) {
  sample_all(/*always=*/true);
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
  if (const Status status = outputs_.status(); !status) return status;
  if (recording_ && recording_->file().failed()) {
    return fail(errno_text("cannot write " + recording_->file().name(), recording_->file().error()) +
                "; the recording is whole up to there");
  }
  return {};
}

}  // namespace madvtrace
