// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "model/group_counters.h"
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

constexpr std::uint64_t kSecondNs = 1'000 * kMsNs;

Sample memory(std::uint64_t rss, std::optional<std::uint64_t> lazyfree = 0) {
  return {.rss_bytes = rss,
          .rss_anon_bytes = rss / 2,
          .rss_file_bytes = rss / 4,
          .rss_shmem_bytes = rss / 4,
          .swap_bytes = 1,
          .page_tables_bytes = 2,
          .lazyfree_bytes = lazyfree,
          .anon_huge_bytes = 3,
          .group = {.usage_bytes = 77},
          .go = {.heap_inuse_bytes = 1}};
}

// Process `pid` is there, and looked at.
void process(StreamBuilder& stream, std::uint32_t pid, const Sample& sample, bool outside = false) {
  stream.on(pid, pid).add(ProcessInfo{.comm = "server", .outside_group = outside}).add(sample);
}

void group_sample(StreamBuilder& stream, const GroupSample& sample = {}) { stream.on(0, 0).add(sample); }

StreamBuilder watched() {
  StreamBuilder stream;
  stream.at(0).add(
      RunInfo{.capabilities = {{"page_walk", "yes"}}, .started_mono_ns = kStartMonoNs, .started_utc_ns = kStartUtcNs});
  stream.add(GroupInfo{.name = "web", .path = "/web", .id = 4711});
  return stream;
}

TEST(Group, IsTheSumOfItsProcesses) {
  StreamBuilder stream = watched();
  process(stream, 1, memory(400, 30));
  process(stream, 2, memory(1000, 5));
  process(stream, 3, memory(8000, 5), /*outside=*/true);
  stream.at(kSecondNs);
  group_sample(stream, {.charge = {.usage_bytes = 10, .working_set_bytes = 9}, .processes = 4});
  const TraceRun run(stream);
  ASSERT_EQ(run.log.samples.size(), 4U);
  const SampleRow& row = run.log.samples.back();
  EXPECT_EQ(row.pid, 0U);
  EXPECT_EQ(row.mono_ns, kStartMonoNs + kSecondNs);
  EXPECT_EQ(row.ts_ns, kStartUtcNs + kSecondNs);
  EXPECT_EQ(row.sample.rss_bytes, 1400U);
  EXPECT_EQ(row.sample.rss_anon_bytes, 700U);
  EXPECT_EQ(row.sample.rss_file_bytes, 350U);
  EXPECT_EQ(row.sample.rss_shmem_bytes, 350U);
  EXPECT_EQ(row.sample.swap_bytes, 2U);
  EXPECT_EQ(row.sample.page_tables_bytes, 4U);
  EXPECT_EQ(row.sample.lazyfree_bytes, 35U);
  EXPECT_EQ(row.sample.anon_huge_bytes, 6U);
  EXPECT_EQ(row.pending_bytes, 0U);
  EXPECT_EQ(row.sample.group.usage_bytes, 10U);
  EXPECT_EQ(row.sample.group.working_set_bytes, 9U);
  EXPECT_EQ(row.sample.go.heap_inuse_bytes, std::nullopt);
  ASSERT_TRUE(run.totals().group);
  EXPECT_EQ(run.totals().group->info.name, "web");
  EXPECT_EQ(run.totals().group->processes, 4U);
  EXPECT_EQ(run.totals().group->last_sample->sample.rss_bytes, 1400U);
}

TEST(Group, PendingBytesAreAddedUp) {
  StreamBuilder stream = watched();
  for (const std::uint32_t pid : {1U, 2U}) {
    process(stream, pid, memory(4));
    stream.at(1 * kMsNs).begin(test::madvise(0x200000, 0x2000, 8), walked(2));
    stream.pages(1 * kMsNs, {.chunk_addr = 0x200000, .seen = {0, 2}, .dirty = {{0, 2}}})
        .at(2 * kMsNs)
        .end(1 * kMsNs, 0);
    stream.add(memory(4));
  }
  group_sample(stream);
  EXPECT_EQ(TraceRun(stream).log.samples.back().pending_bytes, 4U * 4096);
}

TEST(Group, WhatIsUnknownOfOneIsUnknownOfAll) {
  StreamBuilder stream = watched();
  process(stream, 1, memory(400));
  process(stream, 2, memory(1000, std::nullopt));
  process(stream, 3, memory(1000));
  group_sample(stream);
  const TraceRun run(stream);
  EXPECT_EQ(run.log.samples.back().sample.lazyfree_bytes, std::nullopt);
  EXPECT_EQ(run.log.samples.back().sample.rss_bytes, 2400U);
}

TEST(Group, OnlyThoseThatWereLookedAtInTheIntervalAndStillRunCount) {
  StreamBuilder stream = watched();
  process(stream, 1, memory(400));
  process(stream, 2, memory(1000));
  stream.on(1, 1).exit(0);
  group_sample(stream);
  EXPECT_EQ(TraceRun(stream).log.samples.back().sample.rss_bytes, 1000U);
  // The pid is used again; an exec leaves nothing of what was there.
  process(stream, 1, memory(8));
  stream.on(2, 2).add(memory(2000)).exec();
  group_sample(stream);
  EXPECT_EQ(TraceRun(stream).log.samples.back().sample.rss_bytes, 8U);
  // Looked at twice, the last time counts; the other was not looked at.
  stream.on(2, 2).add(memory(100)).add(memory(104));
  group_sample(stream);
  EXPECT_EQ(TraceRun(stream).log.samples.back().sample.rss_bytes, 104U);
  // Nobody is there.
  group_sample(stream, {.charge = {.usage_bytes = 0}});
  const TraceRun run(stream);
  EXPECT_EQ(run.log.samples.back().sample.rss_bytes, std::nullopt);
  EXPECT_EQ(run.log.samples.back().pending_bytes, std::nullopt);
  EXPECT_EQ(run.log.samples.back().sample.group.usage_bytes, 0U);
  EXPECT_EQ(run.totals().group->first_sample->sample.rss_bytes, 1000U);
  EXPECT_EQ(run.totals().group->last_sample->sample.rss_bytes, std::nullopt);
}

TEST(Group, WhoeverLeftItHasNoPartInTheSums) {
  StreamBuilder stream = watched();
  process(stream, 1, memory(400));
  process(stream, 2, memory(1000));
  stream.on(1, 1).leave(WIRE_MEMBER_MOVED);
  group_sample(stream);
  EXPECT_EQ(TraceRun(stream).log.samples.back().sample.rss_bytes, 1000U);
  // Its leave was lost: it is another process as far as anybody knows.
  process(stream, 2, memory(1000));
  stream.on(2, 2).at(kMsNs).begin(test::madvise(0x200000, 0x1000, 8), walked(1));
  stream.pages(kMsNs, {.chunk_addr = 0x200000, .seen = {0, 1}, .dirty = {{0, 1}}}).at(2 * kMsNs).end(kMsNs, 0);
  stream.join(WIRE_MEMBER_MOVED);
  group_sample(stream);
  EXPECT_EQ(TraceRun(stream).log.samples.back().sample.rss_bytes, std::nullopt);
  process(stream, 2, memory(8));
  const TraceRun run(stream);
  EXPECT_EQ(run.log.samples.back().pending_bytes, 0U);
  ASSERT_EQ(run.totals().processes.size(), 3U);
  EXPECT_FALSE(run.totals().processes[1].ended);
}

TEST(Group, WithoutOneThereAreNoRowsOfIt) {
  StreamBuilder stream;
  stream.start().add(memory(4)).finish();
  const TraceRun run(stream);
  EXPECT_EQ(run.log.samples.size(), 1U);
  EXPECT_FALSE(run.totals().group);
}

TEST(Group, WhatItsCountersGrewByAreMarkers) {
  StreamBuilder stream = watched();
  group_sample(stream, {.oom_kills = 5, .high_events = 100, .max_events = 0, .pressure_some_us = 1'000});
  stream.at(kSecondNs);
  group_sample(stream, {.oom_kills = 7, .high_events = 100, .max_events = 3, .pressure_some_us = 11'001});
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 3U);
  for (const CallRow& row : run.log.calls) {
    EXPECT_EQ(row.pid, 0U);
    EXPECT_EQ(row.mono_ns, kStartMonoNs + kSecondNs);
    EXPECT_EQ(row.ts_ns, kStartUtcNs + kSecondNs);
    EXPECT_EQ(row.dur_ns, kSecondNs);
    EXPECT_EQ(row.cgroup_id, 4711U);
    EXPECT_EQ(row.quality, Quality::kSampled);
    EXPECT_EQ(row.resident_bytes, std::nullopt);
  }
  EXPECT_EQ(run.log.calls[0].call, CallKind::kOomKill);
  EXPECT_EQ(run.log.calls[0].ret, 2);
  EXPECT_EQ(run.log.calls[1].call, CallKind::kMemoryMax);
  EXPECT_EQ(run.log.calls[1].ret, 3);
  EXPECT_EQ(run.log.calls[2].call, CallKind::kMemoryPressure);
  EXPECT_EQ(run.log.calls[2].ret, 10'001);
  EXPECT_EQ(run.totals().call_rows, 3U);
  EXPECT_TRUE(run.totals().processes.empty()) << "it is no process";
  const GroupGrowth& growth = run.totals().group->growth;
  EXPECT_EQ(growth.oom_kills, 2U);
  EXPECT_EQ(growth.high_events, 0U);
  EXPECT_EQ(growth.max_events, 3U);
  EXPECT_EQ(growth.pressure_some_us, 10'001U);
  EXPECT_EQ(growth.pressure_full_us, std::nullopt) << "never known";
}

// A marker waits its turn behind a call whose cause is not known yet.
TEST(Group, MarkersKeepTheOrderOfTheStream) {
  StreamBuilder stream = watched();
  group_sample(stream, {.oom_kills = 0});
  stream.on(1, 1).stack(7, {1});
  auto call = test::munmap(0x1000, 0x1000);
  call.stack_key = 7;
  stream.plain(call, 0, 0);
  group_sample(stream, {.oom_kills = 1});
  stream.add(Frames{.stack_key = 7, .text = "f", .cause = Cause::kApp});
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 2U);
  EXPECT_EQ(run.log.calls[0].call, CallKind::kMunmap);
  EXPECT_EQ(run.log.calls[1].call, CallKind::kOomKill);
  EXPECT_EQ(run.log.calls[1].cause, std::nullopt);
}

GroupSample at(std::uint64_t mono_ns, std::optional<std::uint64_t> oom_kills,
               std::optional<std::uint64_t> some_us = std::nullopt) {
  return {.stamp = {.mono_ns = mono_ns}, .oom_kills = oom_kills, .pressure_some_us = some_us};
}

TEST(GroupCounters, PressureOfOnePercentIsNotTold) {
  GroupCounters counters;
  EXPECT_TRUE(counters.advance(at(0, std::nullopt, 0)).empty());
  EXPECT_TRUE(counters.advance(at(kSecondNs, std::nullopt, 10'000)).empty());
  const auto told = counters.advance(at(2 * kSecondNs, std::nullopt, 20'001));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].grown, 10'001U);
  EXPECT_EQ(counters.growth().pressure_some_us, 20'001U) << "all of it counts in the sum";
}

TEST(GroupCounters, AfterAGapTheIntervalIsLonger) {
  GroupCounters counters;
  counters.advance(at(kSecondNs, 1));
  EXPECT_TRUE(counters.advance(at(2 * kSecondNs, std::nullopt)).empty());
  const auto told = counters.advance(at(5 * kSecondNs, 3));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].grown, 2U);
  EXPECT_EQ(told[0].within_ns, 4 * kSecondNs);
}

TEST(GroupCounters, OneThatGoesBackIsOfAGroupThatWasMadeAgain) {
  GroupCounters counters;
  counters.advance(at(kSecondNs, 9));
  const auto told = counters.advance(at(2 * kSecondNs, 2));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].grown, 2U);
  EXPECT_TRUE(counters.advance(at(3 * kSecondNs, 0)).empty());
  EXPECT_TRUE(counters.advance(at(4 * kSecondNs, 0)).empty());
  EXPECT_EQ(counters.growth().oom_kills, 2U);
}

TEST(GroupCounters, NumbersThatMakeNoSenseDoNoHarm) {
  GroupCounters counters;
  counters.advance(at(UINT64_MAX, 0, 0));
  const auto told = counters.advance(at(0, UINT64_MAX, UINT64_MAX));
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].within_ns, 0U);
  counters.advance(at(1, 0, 0));
  EXPECT_EQ(counters.advance(at(2, UINT64_MAX, 5)).at(0).grown, UINT64_MAX);

  StreamBuilder stream = watched();
  group_sample(stream, {.oom_kills = 0});
  group_sample(stream, {.oom_kills = UINT64_MAX});
  EXPECT_EQ(TraceRun(stream).log.calls.at(0).ret, INT64_MAX);
}

TEST(Group, OfAnotherGroupTheCountersStartAnew) {
  StreamBuilder stream = watched();
  group_sample(stream, {.oom_kills = 1});
  stream.add(GroupInfo{.name = "web", .path = "/web", .id = 4712});
  group_sample(stream, {.oom_kills = 50});
  group_sample(stream, {.oom_kills = 51});
  const TraceRun run(stream);
  ASSERT_EQ(run.log.calls.size(), 1U);
  EXPECT_EQ(run.log.calls[0].ret, 1);
  EXPECT_EQ(run.log.calls[0].cgroup_id, 4712U);
  EXPECT_EQ(run.totals().group->growth.oom_kills, 1U);
}

std::uint64_t left_out(const StreamBuilder& stream) {
  const TraceRun run(stream);
  return run.totals().group ? run.totals().group->left_out : 0;
}

TEST(Group, CountsWhomItLeavesOut) {
  StreamBuilder stream = watched();
  EXPECT_EQ(left_out(stream), 0U);
  stream.on(7, 7).add(LeftOut{.start_utc_ns = kStartUtcNs, .comm = "sh"});
  stream.on(8, 8).add(LeftOut{.start_utc_ns = kStartUtcNs, .comm = "sh"});
  EXPECT_EQ(left_out(stream), 2U);
  // After an exec, told of again; clocks are read anew.
  stream.on(7, 7).add(LeftOut{.start_utc_ns = kStartUtcNs + 3'000, .comm = "sleep"});
  EXPECT_EQ(left_out(stream), 2U);
  // A pid that is used again is another process, and so is one of which no start is known.
  stream.on(7, 7).add(LeftOut{.start_utc_ns = kStartUtcNs + 5 * kSecondNs, .comm = "sh"});
  EXPECT_EQ(left_out(stream), 3U);
  stream.on(9, 9).add(LeftOut{}).add(LeftOut{});
  EXPECT_EQ(left_out(stream), 5U);
  EXPECT_TRUE(TraceRun(stream).totals().processes.empty());
}

TEST(Group, WhoeverBecomesAGoProgramIsNotLeftOut) {
  StreamBuilder stream = watched();
  stream.on(7, 7).add(LeftOut{.start_utc_ns = kStartUtcNs, .comm = "sh"});
  stream.add(ProcessInfo{.start_utc_ns = kStartUtcNs + 2'000, .comm = "server"});
  EXPECT_EQ(left_out(stream), 0U);
  stream.add(ProcessInfo{.start_utc_ns = kStartUtcNs + 2'000, .comm = "server"});
  EXPECT_EQ(left_out(stream), 0U) << "once";
  // Another process with the pid of one that was left out.
  stream.on(8, 8).add(LeftOut{.start_utc_ns = kStartUtcNs, .comm = "sh"});
  stream.add(ProcessInfo{.start_utc_ns = kStartUtcNs + 9 * kSecondNs, .comm = "server"});
  EXPECT_EQ(left_out(stream), 1U);
}

}  // namespace
}  // namespace madvtrace
