// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "model/advice.h"
#include "model/names.h"
#include "model/trace.h"
#include "tests/support/row_log.h"
#include "tests/support/stream_builder.h"
#include "tests/support/trace_run.h"

namespace madvtrace {
namespace {

using test::kMsNs;
using test::kStartMonoNs;
using test::kStartUtcNs;
using test::StreamBuilder;
using test::TraceRun;
using test::walked;

void release(StreamBuilder& stream, std::uint64_t at_ns, const test::CallSpec& call, std::uint64_t pages,
             std::int64_t ret = 0) {
  stream.at(at_ns).begin(call, walked(pages)).at(at_ns + 1'000).end(at_ns, ret, ret < 0 ? walked(pages) : wire_walk{});
}

TEST(Trace, UtcComesFromTheStartAndMovesWithAnAnchor) {
  StreamBuilder stream;
  stream.start();
  release(stream, 5 * kMsNs, test::munmap(0x1000, 0x1000), 1);
  stream.add(ClockAnchor{.utc_minus_mono_ns = static_cast<std::int64_t>(kStartUtcNs - kStartMonoNs) + 77});
  release(stream, 6 * kMsNs, test::munmap(0x1000, 0x1000), 1);
  stream.at(7 * kMsNs).add(Sample{.rss_bytes = 1});
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 2U);
  EXPECT_EQ(run.log.calls[0].mono_ns, kStartMonoNs + 5 * kMsNs);
  EXPECT_EQ(run.log.calls[0].ts_ns, kStartUtcNs + 5 * kMsNs);
  EXPECT_EQ(run.log.calls[1].mono_ns, kStartMonoNs + 6 * kMsNs);
  EXPECT_EQ(run.log.calls[1].ts_ns, kStartUtcNs + 6 * kMsNs + 77);
  EXPECT_EQ(run.log.samples.at(0).ts_ns, kStartUtcNs + 7 * kMsNs + 77);
}

TEST(Trace, StackIdsFollowTheRows) {
  StreamBuilder stream;
  stream.start().stack(50, {1}).stack(60, {2});
  auto call = test::munmap(0x1000, 0x1000);
  for (const std::uint64_t key : {60U, 50U, 60U, 0U}) {
    call.stack_key = key;
    stream.plain(call, 0, 0);
  }
  stream.add(Frames{.stack_key = 50, .text = "fifty"}).finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 4U);
  EXPECT_EQ(run.log.calls[0].stack_id, 1U);
  EXPECT_EQ(run.log.calls[1].stack_id, 2U);
  EXPECT_EQ(run.log.calls[2].stack_id, 1U);
  EXPECT_EQ(run.log.calls[3].stack_id, std::nullopt);
  EXPECT_EQ(run.log.stacks, (std::vector<std::pair<std::uint32_t, std::string>>{{2, "fifty"}, {1, "0x2"}}));
}

TEST(Trace, CallsAreAddedUpByKindAndAdvice) {
  StreamBuilder stream;
  stream.start();
  release(stream, 1 * kMsNs, test::madvise(0x1000, 0x4000, kMadvDontneed), 3);
  release(stream, 2 * kMsNs, test::madvise(0x1000, 0x4000, kMadvDontneed), 2);
  release(stream, 3 * kMsNs, test::madvise(0x1000, 0x4000, kMadvDontneed), 4, -22);
  release(stream, 4 * kMsNs, test::madvise(0x1000, 0x4000, kMadvFree), 4);
  release(stream, 5 * kMsNs, test::munmap(0x1000, 0x8000), 1);
  stream.at(6 * kMsNs).begin(test::munmap(0x1000, 0x8000), wire_walk{}).end(6 * kMsNs, 0);
  stream.finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.totals().processes.size(), 1U);
  const CallTotalsByKind& calls = run.totals().processes[0].calls;
  ASSERT_EQ(calls.size(), 3U);
  const CallTotals& dontneed = calls.at({CallKind::kMadvise, kMadvDontneed});
  EXPECT_EQ(dontneed.calls, 3U);
  EXPECT_EQ(dontneed.failed, 1U);
  EXPECT_EQ(dontneed.len_bytes, 0x8000U);
  EXPECT_EQ(dontneed.resident_bytes, 9U * 4096);
  EXPECT_EQ(dontneed.rss_delta_bytes, -5 * 4096);
  EXPECT_EQ(dontneed.unknown_resident, 0U);
  EXPECT_EQ(dontneed.dur_ns, 3'000U);
  EXPECT_EQ(calls.at({CallKind::kMadvise, kMadvFree}).rss_delta_bytes, 0);
  const CallTotals& munmap = calls.at({CallKind::kMunmap, std::nullopt});
  EXPECT_EQ(munmap.calls, 2U);
  EXPECT_EQ(munmap.unknown_resident, 1U);
  EXPECT_EQ(munmap.resident_bytes, 4096U);
  EXPECT_EQ(run.totals().call_rows, 6U);
}

TEST(Trace, SamplesGiveTheFirstTheLastAndTheLargest) {
  StreamBuilder stream;
  stream.start().add(Sample{.rss_bytes = 10, .lazyfree_bytes = 3});
  stream.add(Sample{.rss_bytes = 30, .lazyfree_bytes = 4}).add(Sample{}).add(Sample{.rss_bytes = 20}).finish();
  const TraceRun run(stream);
  const ProcessTotals& process = run.totals().processes.at(0);
  EXPECT_EQ(run.log.samples.size(), 4U);
  EXPECT_EQ(process.first_sample->rss_bytes, 10U);
  EXPECT_EQ(process.last_sample->rss_bytes, 20U);
  EXPECT_EQ(process.largest_rss_bytes, 30U);
  EXPECT_EQ(process.lazyfree_at_start_bytes, 3U);
}

TEST(Trace, ASampleOfAProcessThatIsGoneIsDropped) {
  StreamBuilder stream;
  stream.start().exit(0).add(Sample{.rss_bytes = 10}).on(999, 999).add(Sample{.rss_bytes = 10});
  const TraceRun run(stream);
  EXPECT_TRUE(run.log.samples.empty());
  EXPECT_EQ(run.totals().processes.size(), 1U);
}

TEST(Trace, AnExecBeginsTheMemoryAnew) {
  StreamBuilder stream;
  stream.start().add(ProcessInfo{.gc_marks = "yes"}).add(Sample{.rss_bytes = 1'000, .lazyfree_bytes = 5});
  stream.at(9).on(100, 101).begin(test::munmap(0x1000, 0x1000), walked(1));
  stream.at(10).on(100, 100).named("next").exec();
  stream.add(ProcessInfo{.comm = "next", .exe = "/next"}).add(Sample{.rss_bytes = 7}).finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.totals().processes.size(), 1U);
  const ProcessTotals& process = run.totals().processes[0];
  EXPECT_EQ(process.comm, "next");
  EXPECT_EQ(process.exe, "/next");
  EXPECT_EQ(process.gc_marks, "");
  EXPECT_EQ(process.first_sample->rss_bytes, 7U);
  EXPECT_EQ(process.largest_rss_bytes, 7U);
  EXPECT_EQ(process.lazyfree_at_start_bytes, std::nullopt);
  EXPECT_FALSE(process.ended);
  // What its other threads were doing comes first.
  ASSERT_EQ(run.log.calls.size(), 2U);
  EXPECT_EQ(run.log.calls[0].tid, 101U);
  EXPECT_EQ(run.log.calls[0].ret, std::nullopt);
  EXPECT_EQ(run.log.calls[1].call, CallKind::kExec);
  EXPECT_EQ(comm_text(run.log.calls[1].comm), "next");
  EXPECT_EQ(run.log.calls[1].quality, std::nullopt);
}

TEST(Trace, CollectionsAreMarkers) {
  StreamBuilder stream;
  stream.start().add(ProcessInfo{.comm = "server", .gc_marks = "yes"});
  stream.at(1 * kMsNs).on(100, 101).gc_start(WIRE_GC_TIME).at(3 * kMsNs).on(100, 102).gc_end();
  stream.at(4 * kMsNs).gc_start(WIRE_GC_UNKNOWN).finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 3U);
  const CallRow& start = run.log.calls[0];
  EXPECT_EQ(start.call, CallKind::kGcStart);
  EXPECT_EQ(start.mono_ns, kStartMonoNs + 1 * kMsNs);
  EXPECT_EQ(start.tid, 101U);
  EXPECT_EQ(comm_text(start.comm), "server");
  EXPECT_EQ(start.cgroup_id, 4242U);
  EXPECT_EQ(start.ret, 1);
  EXPECT_EQ(start.quality, std::nullopt);
  EXPECT_EQ(run.log.calls[1].call, CallKind::kGcEnd);
  EXPECT_EQ(run.log.calls[1].ret, std::nullopt);
  EXPECT_EQ(run.log.calls[2].ret, std::nullopt) << "an unknown trigger is no heap trigger";
  EXPECT_EQ(run.totals().call_rows, 3U);
  const ProcessTotals& process = run.totals().processes.at(0);
  EXPECT_EQ(process.gc_marks, "yes");
  EXPECT_EQ(process.gc_cycles, 1U) << "the second one has not ended";
  EXPECT_TRUE(process.calls.empty()) << "they are no calls";
}

// Go runs a function's entry again after it has found a larger stack.
TEST(Trace, AnEntryThatRunsTwiceIsOneStart) {
  StreamBuilder stream;
  stream.start().on(100, 101).at(1 * kMsNs).gc_start().at(2 * kMsNs).gc_start().gc_end();
  EXPECT_EQ(TraceRun(stream).log.calls.size(), 2U);
  EXPECT_EQ(TraceRun(stream).log.calls.at(0).mono_ns, kStartMonoNs + 1 * kMsNs) << "the first is when it began";

  const auto starts_of = [](StreamBuilder& more) {
    const auto calls = TraceRun(more).log.calls;
    return std::count_if(calls.begin(), calls.end(), [](const CallRow& row) { return row.call == CallKind::kGcStart; });
  };
  // The next collection may start on the same thread,
  stream.gc_start();
  EXPECT_EQ(starts_of(stream), 2);
  // and where an end was lost, it does so without one between.
  stream.lost(1).gc_start();
  EXPECT_EQ(starts_of(stream), 3);
  // Another thread cannot be in the same entry, and is not in the same process,
  stream.on(100, 102).gc_start().on(200, 201).gc_start();
  EXPECT_EQ(starts_of(stream), 5);
  // and what a process was before its exec, or before its pid was another's, is no matter.
  stream.exec().gc_start().exit(0).gc_start();
  EXPECT_EQ(starts_of(stream), 7);
}

TEST(Trace, APidThatIsUsedAgainIsAnotherProcess) {
  StreamBuilder stream;
  stream.start();
  release(stream, 1 * kMsNs, test::munmap(0x1000, 0x1000), 1);
  stream.at(2 * kMsNs).exit(256).at(3 * kMsNs).on(50, 50).fork(100, true);
  stream.on(100, 100).named("second");
  release(stream, 4 * kMsNs, test::munmap(0x1000, 0x1000), 2);
  stream.finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.totals().processes.size(), 2U);
  const ProcessTotals& first = run.totals().processes[0];
  const ProcessTotals& second = run.totals().processes[1];
  EXPECT_EQ(first.pid, 100U);
  EXPECT_TRUE(first.ended);
  EXPECT_EQ(first.wait_status, 256);
  EXPECT_EQ(first.calls.at({CallKind::kMunmap, std::nullopt}).resident_bytes, 4096U);
  EXPECT_EQ(second.pid, 100U);
  EXPECT_FALSE(second.ended);
  EXPECT_EQ(second.comm, "second");
  EXPECT_EQ(second.start_ts_ns, 0U);
  EXPECT_EQ(second.calls.at({CallKind::kMunmap, std::nullopt}).resident_bytes, 8192U);
}

// Its exit was lost: what it gave back and left in RSS went with it, whoever has its pid.
TEST(Trace, AForkEndsWhoeverHadThePid) {
  StreamBuilder stream;
  stream.start();
  stream.at(1 * kMsNs).begin(test::madvise(0x200000, 0x1000, kMadvFree), walked(1));
  stream.pages(1 * kMsNs, {.chunk_addr = 0x200000, .seen = {0, 1}, .dirty = {{0, 1}}}).at(2 * kMsNs).end(1 * kMsNs, 0);
  stream.at(3 * kMsNs).begin(test::munmap(0x1000, 0x1000), walked(1));
  stream.at(4 * kMsNs).on(50, 50).fork(100, true).on(100, 100).add(Sample{.rss_bytes = 1}).finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.totals().processes.size(), 2U);
  const ProcessTotals& first = run.totals().processes[0];
  EXPECT_TRUE(first.ended);
  EXPECT_EQ(first.wait_status, std::nullopt) << "nobody saw how";
  EXPECT_EQ(first.pending_bytes, 0U);
  EXPECT_EQ(first.calls.count({CallKind::kMunmap, std::nullopt}), 1U) << "a call that it was inside of";
  EXPECT_EQ(first.delays.at({CallKind::kMadvise, kMadvFree}).bytes(Fate::kExited), 4096U);
  EXPECT_EQ(run.log.samples.at(0).pending_bytes, 0U) << "of the second process";
  EXPECT_FALSE(run.totals().processes[1].ended);
}

// A watched group is looked through while its processes fork.
TEST(Trace, AProcessThatWasLookedAtBeforeItsForkIsOne) {
  StreamBuilder stream;
  stream.start().at(500 * kMsNs).on(200, 200);
  stream.add(ProcessInfo{.start_utc_ns = kStartUtcNs + 390 * kMsNs, .exe = "/child"}).add(Sample{.rss_bytes = 1});
  stream.at(400 * kMsNs).on(100, 100).fork(200, true).finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.totals().processes.size(), 2U);
  EXPECT_EQ(run.totals().processes[1].exe, "/child");
  EXPECT_FALSE(run.totals().processes[1].ended);
}

TEST(Trace, AProcessThatStartedAfterThatPidWasLastSeenIsAnother) {
  StreamBuilder stream;
  stream.start().add(Sample{.rss_bytes = 1}).at(100 * kMsNs).add(Sample{.rss_bytes = 2});
  // The same one, looked at again after an exec.
  stream.at(200 * kMsNs).add(ProcessInfo{.start_utc_ns = kStartUtcNs - 60'000'000'000 + 7, .exe = "/same"});
  EXPECT_EQ(TraceRun(stream).totals().processes.size(), 1U);
  stream.at(3000 * kMsNs).add(ProcessInfo{.start_utc_ns = kStartUtcNs + 2'900 * kMsNs, .exe = "/other"}).finish();
  const TraceRun run(stream);
  ASSERT_EQ(run.totals().processes.size(), 2U);
  EXPECT_TRUE(run.totals().processes[0].ended);
  EXPECT_EQ(run.totals().processes[0].exe, "/same");
  EXPECT_EQ(run.totals().processes[1].exe, "/other");
  EXPECT_FALSE(run.totals().processes[1].first_sample);
}

TEST(Trace, OnlyAFollowedChildIsAProcess) {
  StreamBuilder stream;
  stream.start().fork(200, false);
  EXPECT_EQ(TraceRun(stream).totals().processes.size(), 1U);
  stream.fork(201, true);
  const TraceRun run(stream);
  ASSERT_EQ(run.totals().processes.size(), 2U);
  EXPECT_EQ(run.totals().processes[1].pid, 201U);
}

TEST(Trace, AnExitIsAMarker) {
  StreamBuilder stream;
  stream.start().at(5).exit(9);
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 1U);
  const CallRow& row = run.log.calls[0];
  EXPECT_EQ(row.call, CallKind::kExit);
  EXPECT_EQ(row.ret, 9);
  EXPECT_EQ(row.cgroup_id, 4242U);
  EXPECT_EQ(row.addr, std::nullopt);
  EXPECT_EQ(row.dur_ns, std::nullopt);
  EXPECT_EQ(row.resident_bytes, std::nullopt);
  EXPECT_TRUE(run.totals().processes.at(0).calls.empty()) << "a marker is no call";
}

TEST(Trace, LossesAreAddedUpByCause) {
  StreamBuilder stream;
  stream.start().add(Loss{.cause = "end_ring_full", .count = 2}).add(Loss{.cause = "end_ring_full", .count = 3});
  stream.raw("no record").finish();
  const TraceRun run(stream);
  EXPECT_EQ(run.totals().lost,
            (std::map<std::string, std::uint64_t>{{"bad_record_truncated", 1}, {"end_ring_full", 5}}));
  EXPECT_FALSE(run.totals().complete());
}

TEST(Trace, IsCompleteWithAnEndAndWithoutLosses) {
  StreamBuilder stream;
  stream.start().at(30 * kMsNs);
  EXPECT_FALSE(TraceRun(stream).totals().complete());
  stream.finish();
  const TraceRun run(stream);
  EXPECT_TRUE(run.totals().complete());
  EXPECT_EQ(run.totals().duration_ns, 30 * kMsNs);
  EXPECT_EQ(run.totals().end->self_cpu_ns, 12'000'000U);
}

TEST(Trace, KnowsHowTheCommandEnded) {
  StreamBuilder stream;
  EXPECT_FALSE(TraceRun(stream).totals().command_end);
  stream.add(CommandEnd{.pid = 5, .wait_status = 512});
  EXPECT_EQ(TraceRun(stream).totals().command_end->wait_status, 512);
}

TEST(Trace, WhatIsOpenAtTheEndComesOut) {
  StreamBuilder stream;
  stream.start().begin(test::munmap(0x1000, 0x1000), walked(1));
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 1U);
  EXPECT_EQ(run.log.calls[0].ret, std::nullopt);
}

TEST(Trace, AFullStackTableIsALoss) {
  test::RowLog log;
  Trace trace(log);
  for (std::uint64_t key = 1; key <= StackTable::kStacks + 2; ++key) trace.apply(Stack{.stack_key = key});
  trace.finish();
  EXPECT_EQ(trace.totals().lost.at("stack_table_full"), 2U);
}

TEST(Trace, HostileNumbersDoNotOverflow) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 45;
  StreamBuilder stream;
  stream.start();
  for (std::uint64_t i = 0; i < 200; ++i) release(stream, i * 2'000, test::munmap(0, UINT64_MAX), kMost);
  stream.add(Loss{.cause = "x", .count = UINT64_MAX}).add(Loss{.cause = "x", .count = 2});
  stream.add(ClockAnchor{.utc_minus_mono_ns = INT64_MIN});
  release(stream, UINT64_MAX, test::munmap(0, 1), kMost);
  EXPECT_EQ(TraceRun(stream).log.calls.size(), 201U);
}

TEST(CommText, EndsAtItsNul) {
  EXPECT_EQ(comm_text(Comm{'a', 'b'}), "ab");
  EXPECT_EQ(comm_text(Comm{}), "");
  Comm full;
  full.fill('x');
  EXPECT_EQ(comm_text(full), "xxxxxxxxxxxxxxxx");
}

TEST(Names, AreTheKernels) {
  EXPECT_EQ(advice_name(4), "MADV_DONTNEED");
  EXPECT_EQ(advice_name(8), "MADV_FREE");
  EXPECT_EQ(advice_name(102), "MADV_GUARD_INSTALL");
  EXPECT_EQ(advice_name(77), "77");
  EXPECT_EQ(advice_name(-1), "-1");
  EXPECT_EQ(kCallNames[CallKind::kProcessMadvise], "process_madvise");
  EXPECT_EQ(kCallNames[CallKind::kMremap], "mremap");
  EXPECT_EQ(kCallNames[CallKind::kBrk], "brk");
  EXPECT_EQ(kQualityNames[Quality::kAfterLoss], "after_loss");
}

}  // namespace
}  // namespace madvtrace
