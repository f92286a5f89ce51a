// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>

#include "model/advice.h"
#include "sinks/summary_json.h"
#include "sinks/summary_text.h"

namespace madvtrace {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// Columns, not bytes: what continues a UTF-8 sequence takes none.
std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto columns = static_cast<std::size_t>(std::count_if(
        line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    widest = std::max(widest, columns);
  }
  return widest;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

ProcessTotals a_process(std::uint32_t pid = 4'194'304) {
  ProcessTotals process;
  process.pid = pid;
  process.start_ts_ns = 1'600'000'000'000'000'000;
  process.comm = "exactly16bytes!";
  process.exe = "/usr/local/bin/server";
  process.build_id = "0123";
  process.cgroup = "/system.slice/server.service";
  process.first_sample = Sample{.rss_bytes = 1023 * kMiB, .rss_anon_bytes = 1022 * kMiB, .lazyfree_bytes = kMiB};
  process.last_sample = Sample{.rss_bytes = 512 * kMiB, .rss_anon_bytes = 511 * kMiB, .lazyfree_bytes = 2 * kMiB};
  process.largest_rss_bytes = 1023 * kMiB;
  process.lazyfree_at_start_bytes = kMiB;
  process.pending_bytes = 3 * kMiB;
  Delays& lazy = process.delays[{CallKind::kMadvise, kMadvFree}];
  lazy.add(Fate::kReclaimed, 1'000'000'000, kMiB);
  lazy.add(Fate::kPending, 2'000'000'000, 3 * kMiB);
  lazy.add(Fate::kSuperseded, 500'000'000, 2 * kMiB);  // given back twice: counted once
  process.calls[{CallKind::kMadvise, kMadvDontneed}] = {.calls = 8'192,
                                                        .failed = 1,
                                                        .len_bytes = 600 * kMiB,
                                                        .resident_bytes = 512 * kMiB,
                                                        .rss_delta_bytes = -static_cast<std::int64_t>(511 * kMiB),
                                                        .dur_ns = 8'192'000'000};
  process.calls[{CallKind::kMadvise, kMadvFree}] = {.calls = 1, .len_bytes = kMiB, .resident_bytes = kMiB, .dur_ns = 5};
  process.calls[{CallKind::kProcessMadvise, kMadvDontneedLocked}] = {.calls = 1'000'000, .unknown_resident = 1'000'000};
  process.calls[{CallKind::kMmap, std::nullopt}] = {.calls = 3, .len_bytes = kMiB, .unknown_resident = 3};
  return process;
}

RunTotals a_run() {
  RunTotals totals;
  totals.info = {.version = "0.1.0",
                 .kernel = "6.18.0 x86_64",
                 .tier = "base",
                 .argv = {"madvtrace", "-p", "1"},
                 .labels = {{"service", "shop"}},
                 .capabilities = {{"page_walk", "yes"}},
                 .started_mono_ns = 1,
                 .started_utc_ns = 1'700'000'000'000'000'000};
  totals.has_info = true;
  totals.duration_ns = 125'000'000'000;
  totals.processes.push_back(a_process());
  totals.call_rows = 1'008'196;
  totals.end = RunEnd{.ended_mono_ns = 2, .self_cpu_ns = 3, .self_max_rss_bytes = 4};
  return totals;
}

TEST(SummaryText, FitsEightyColumns) {
  RunTotals totals = a_run();
  EXPECT_LE(widest_line(summary_text(totals)), 80U) << summary_text(totals);
  for (std::uint32_t pid = 1; pid < 10; ++pid) totals.processes.push_back(a_process(pid));
  for (const char* cause : {"call_ring_full", "end_ring_full", "inflight_table_full", "page_walk_failed",
                            "range_ring_full", "recording_damaged", "stack_ring_full", "stack_unreadable"}) {
    totals.lost[cause] = 1'000'000;
  }
  totals.end.reset();
  EXPECT_LE(widest_line(summary_text(totals)), 80U) << summary_text(totals);
}

TEST(SummaryText, SaysWhatHappened) {
  const std::string text = summary_text(a_run());
  EXPECT_TRUE(contains(text, "madvtrace: 2 min 5 s, 1 process, 1,008,196 calls, nothing lost\n")) << text;
  EXPECT_TRUE(contains(text, "exactly16bytes! (pid 4194304, /usr/local/bin/server)\n")) << text;
  EXPECT_TRUE(contains(text, "RSS 1023.0 MiB -> 512.0 MiB (largest seen 1023.0 MiB); anonymous 511.0 MiB\n")) << text;
  EXPECT_TRUE(contains(text, "1.0 MiB had been lazily freed before the trace began")) << text;
  EXPECT_TRUE(contains(text, "MADV_DONTNEED: 511.0 MiB left RSS inside 8,192 calls, 1 ms each on average.")) << text;
  EXPECT_TRUE(contains(text, "MADV_FREE: 4.0 MiB given back in 1 call. Of them:")) << text;
  EXPECT_TRUE(contains(text, "     1.0 MiB  25%  the kernel took: they left RSS\n")) << text;
  EXPECT_TRUE(contains(text, "     3.0 MiB  75%  still count as RSS\n")) << text;
  EXPECT_TRUE(contains(text, "Nothing forces the kernel to take what is pending")) << text;
  EXPECT_FALSE(contains(text, "INCOMPLETE")) << text;
}

TEST(SummaryText, SaysWhatLeftRssAndIsChargedAllTheSame) {
  RunTotals totals = a_run();
  ProcessTotals& process = totals.processes.at(0);
  EXPECT_FALSE(contains(summary_text(totals), "cgroup"));
  process.first_sample->group = {.usage_bytes = 1100 * kMiB, .working_set_bytes = 1000 * kMiB};
  process.last_sample->group = {.usage_bytes = 1090 * kMiB,
                                .working_set_bytes = 990 * kMiB,
                                .limit_bytes = 2048 * kMiB,
                                .deferred_split_bytes = kMiB / 2};
  const std::string nothing_deferred = summary_text(totals);
  EXPECT_TRUE(contains(nothing_deferred, "cgroup charge 1.1 GiB -> 1.1 GiB (limit 2.0 GiB)")) << nothing_deferred;
  EXPECT_FALSE(contains(nothing_deferred, "charged all the same")) << nothing_deferred;
  process.last_sample->group.deferred_split_bytes = 500 * kMiB;
  const std::string deferred = summary_text(totals);
  EXPECT_TRUE(contains(deferred, "of it 500.0 MiB has left RSS and is charged all the same")) << deferred;
  EXPECT_LE(widest_line(deferred), 80U) << deferred;
  // It was so before the trace began.
  process.first_sample->group.deferred_split_bytes = 500 * kMiB;
  EXPECT_FALSE(contains(summary_text(totals), "charged all the same"));
}

TEST(SummaryText, TheUnknownIsNeverZero) {
  RunTotals totals = a_run();
  ProcessTotals& process = totals.processes[0];
  process.last_sample->lazyfree_bytes.reset();
  process.last_sample->rss_bytes.reset();
  process.last_sample->rss_anon_bytes.reset();
  const std::string text = summary_text(totals);
  EXPECT_TRUE(contains(text, "RSS 1023.0 MiB -> unknown (")) << text;
  // Nobody followed the pages of a MADV_FREE.
  process.delays.clear();
  process.pending_bytes.reset();
  const std::string unknown = summary_text(totals);
  EXPECT_TRUE(contains(unknown, "MADV_FREE: 1 call; what became of the pages is not known")) << unknown;
}

TEST(SummaryText, SaysHowAProcessEnded) {
  RunTotals totals = a_run();
  totals.processes[0].ended = true;
  totals.processes[0].wait_status = 3 << 8;
  EXPECT_TRUE(contains(summary_text(totals), "  It exited with status 3 during the trace.\n"));
  totals.processes[0].wait_status = 9;
  EXPECT_TRUE(contains(summary_text(totals), "  It was killed by signal 9 during the trace.\n"));
}

TEST(SummaryText, SaysThatAProcessLeftTheGroup) {
  RunTotals totals = a_run();
  totals.processes[0].left_group = true;
  EXPECT_TRUE(contains(summary_text(totals), "  It left the watched group during the trace.\n"));
  EXPECT_EQ(Json::parse(summary_json(totals)).at("processes").at(0).at("left_group"), true);
  EXPECT_FALSE(Json::parse(summary_json(a_run())).at("processes").at(0).contains("left_group"));
}

TEST(SummaryText, SaysWhatIsMissing) {
  RunTotals totals = a_run();
  totals.lost = {{"call_ring_full", 1'234}, {"stack_unreadable", 1}};
  const std::string text = summary_text(totals);
  EXPECT_TRUE(contains(text, "EVENTS LOST\n")) << text;
  EXPECT_TRUE(contains(text, "INCOMPLETE: lost 1,234 call_ring_full, 1 stack_unreadable.\n")) << text;
  EXPECT_TRUE(contains(text, "A larger --ring-size keeps more of them.\n")) << text;
  totals.lost = {{"recording_damaged", 1}};
  EXPECT_FALSE(contains(summary_text(totals), "--ring-size"));
}

TEST(SummaryText, OfATraceThatWasCutOffNoLengthIsKnown) {
  RunTotals totals = a_run();
  totals.end.reset();
  totals.duration_ns = 0;
  const std::string text = summary_text(totals);
  EXPECT_TRUE(contains(text, "INCOMPLETE: the recording stops in the middle of the trace.\n")) << text;
  EXPECT_FALSE(contains(text, "0 us")) << text;
  EXPECT_FALSE(contains(text, "nothing lost")) << text;
}

TEST(SummaryText, ManyProcessesAreSummedUp) {
  RunTotals totals = a_run();
  for (std::uint32_t pid = 1; pid <= 7; ++pid) {
    ProcessTotals small;
    small.pid = pid;
    small.comm = "small";
    small.calls[{CallKind::kMunmap, std::nullopt}] = {.calls = 10};
    totals.processes.insert(totals.processes.begin(), small);
  }
  const std::string text = summary_text(totals);
  // The one that has most pending comes first, wherever it stood, with each page once.
  EXPECT_TRUE(contains(text, "end\n4194304 exactly16byt  512.0 MiB    4.0 MiB    3.0 MiB\n      ")) << text;
  EXPECT_TRUE(contains(text, "      7 small                 -        0 B          -\n")) << text;
  EXPECT_FALSE(contains(text, "more: released")) << text;
  EXPECT_FALSE(contains(text, "(pid ")) << text;
}

ProcessTotals a_server(std::uint32_t pid, std::uint64_t pending_mib, std::uint64_t released_mib) {
  ProcessTotals process;
  process.pid = pid;
  process.comm = "server";
  process.exe = "/usr/bin/server";
  process.go = {.version = "go1.22.10", .is_go = true};
  process.first_sample = Sample{.rss_bytes = 2 * kMiB, .rss_anon_bytes = kMiB, .rss_file_bytes = kMiB};
  process.last_sample = process.first_sample;
  process.pending_bytes = pending_mib * kMiB;
  process.delays[{CallKind::kMadvise, kMadvFree}].add(Fate::kPending, 1, pending_mib * kMiB);
  process.delays[{CallKind::kMadvise, kMadvDontneed}].add(Fate::kFreed, 1, (released_mib - pending_mib) * kMiB);
  return process;
}

// A container that starts processes by the hundred.
RunTotals a_group_of_300() {
  RunTotals totals = a_run();
  totals.processes.clear();
  for (std::uint32_t pid = 1001; pid <= 1040; ++pid) totals.processes.push_back(a_server(pid, 0, pid - 1000));
  totals.processes[7].pending_bytes = 3 * kMiB;
  totals.processes[20].comm = "\xe6\xb5\x8b\xe8\xaf\x95\xe6\xb5\x8b\xe8\xaf\x95\xe6\xb5\x8b";
  totals.processes[20].pending_bytes = 5 * kMiB;
  for (std::uint32_t pid = 2001; pid <= 2250; ++pid) {
    ProcessTotals job = a_server(pid, 0, 1);
    job.comm = "job";
    job.exe = "/usr/bin/job";
    job.ended = true;
    job.wait_status = 0;
    totals.processes.push_back(job);
  }
  for (std::uint32_t pid = 3001; pid <= 3010; ++pid) {
    ProcessTotals crashed = a_server(pid, 0, 1);
    crashed.comm = "crash";
    crashed.exe = "/usr/bin/crash";
    crashed.ended = true;
    crashed.wait_status = pid == 3001 ? 11 : 256;
    totals.processes.push_back(crashed);
  }
  totals.group.emplace();
  totals.group->info = {
      .name = "web", .path = "/docker/0123", .container_id = "0123456789abcdef", .container_name = "api"};
  totals.group->left_out = 3;
  return totals;
}

TEST(SummaryText, AGroupOf300IsATable) {
  const std::string text = summary_text(a_group_of_300());
  EXPECT_LE(widest_line(text), 80U) << text;
  EXPECT_EQ(text,
            R"(madvtrace: 2 min 5 s, 300 processes, 0 calls, nothing lost

web (container api, 0123456789ab)
  3 processes that are not Go were left out; --all follows them too.

    pid name         RSS at end   released    pending Go      why, or its end
   1021 测试测试        2.0 MiB   21.0 MiB    5.0 MiB 1.22.10 unknown
   1008 server          2.0 MiB    8.0 MiB    3.0 MiB 1.22.10 unknown
   250x job                   -  250.0 MiB        0 B 1.22.10 exit 0
   1040 server          2.0 MiB   40.0 MiB        0 B 1.22.10 unknown
   1039 server          2.0 MiB   39.0 MiB        0 B 1.22.10 unknown
   1038 server          2.0 MiB   38.0 MiB        0 B 1.22.10 unknown
   1037 server          2.0 MiB   37.0 MiB        0 B 1.22.10 unknown
   1036 server          2.0 MiB   36.0 MiB        0 B 1.22.10 unknown
   1035 server          2.0 MiB   35.0 MiB        0 B 1.22.10 unknown
   1034 server          2.0 MiB   34.0 MiB        0 B 1.22.10 unknown
and 41 more: released 542.0 MiB, pending 0 B
Nx: N processes of one program, all of which ended.
pending: given back and still in RSS. More of each: summary.json (-o DIR).
)");
}

// Of most that live for a moment nobody sees what they run.
TEST(SummaryText, AProgramThatIsNotKnownIsTheOneOfThatName) {
  RunTotals totals = a_group_of_300();
  for (std::size_t i = 50; i < 290; ++i) {
    totals.processes[i].exe.clear();
    totals.processes[i].go = {};
  }
  EXPECT_TRUE(
      contains(summary_text(totals), "\n   250x job                   -  250.0 MiB        0 B 1.22.10 exit 0\n"))
      << summary_text(totals);
  // Unless there are two of that name.
  totals.processes[40].exe = "/opt/job";
  totals.processes[40].go.version = "go1.19.8";
  const std::string text = summary_text(totals);
  EXPECT_TRUE(contains(text, "\n   240x job                   -  240.0 MiB        0 B         exit 0\n")) << text;
  totals.processes[40].exe = "/usr/bin/job";
  EXPECT_TRUE(contains(summary_text(totals), "   250x job                   -  250.0 MiB        0 B several exit 0\n"))
      << summary_text(totals);
}

TEST(SummaryText, WhatIsPendingOfTheRestIsUnknownIfItIsOfOne) {
  RunTotals totals = a_group_of_300();
  totals.processes[0].pending_bytes.reset();
  EXPECT_TRUE(contains(summary_text(totals), "pending unknown\n")) << summary_text(totals);
}

TEST(SummaryText, TheVerdictIsInTheTableInShort) {
  RunTotals totals = a_group_of_300();
  ProcessTotals& process = totals.processes[7];
  process.last_sample->rss_bytes = 1023 * kMiB;
  process.last_sample->rss_anon_bytes = 1022 * kMiB;
  process.last_sample->lazyfree_bytes = 900 * kMiB;
  process.pending_bytes = 1000 * kMiB;
  process.go.version = "devel go1.27-abcdef";
  const std::string text = summary_text(totals);
  EXPECT_TRUE(contains(text, "   1008 server       1023.0 MiB    8.0 MiB 1000.0 MiB devel g lazily freed\n")) << text;
  process.ended = true;
  process.wait_status.reset();
  EXPECT_TRUE(contains(summary_text(totals), " devel g ended\n")) << summary_text(totals);
  process.wait_status = 9;
  EXPECT_TRUE(contains(summary_text(totals), " devel g signal 9\n")) << summary_text(totals);
  process.ended = false;
  process.left_group = true;
  EXPECT_TRUE(contains(summary_text(totals), " server                -    8.0 MiB 1000.0 MiB devel g left the group\n"))
      << summary_text(totals);
}

RunTotals a_watched_run() {
  RunTotals totals = a_run();
  GroupTotals& group = totals.group.emplace();
  group.info = {
      .name = "/web", .path = "/web", .controllers = {"memory"}, .id = 4711, .how = "a path", .go_only = true};
  group.first_sample.emplace();
  group.first_sample->sample = {.rss_bytes = 800 * kMiB, .group = {.usage_bytes = 900 * kMiB}};
  group.last_sample.emplace();
  group.last_sample->pending_bytes = 500 * kMiB;
  group.last_sample->sample = {.rss_bytes = 740 * kMiB,
                               .lazyfree_bytes = 528 * kMiB,
                               .group = {.usage_bytes = 745 * kMiB,
                                         .working_set_bytes = 212 * kMiB,
                                         .inactive_file_bytes = 533 * kMiB,
                                         .limit_bytes = 1023 * kMiB,
                                         .deferred_split_bytes = 2 * kMiB}};
  return totals;
}

TEST(SummaryText, SaysWhatAGroupIsCharged) {
  const std::string text = summary_text(a_watched_run());
  EXPECT_LE(widest_line(text), 80U) << text;
  EXPECT_TRUE(contains(text, R"(
cgroup /web
  RSS of its traced processes 800.0 MiB -> 740.0 MiB
    of it lazily freed 528.0 MiB; given back in the trace and pending 500.0 MiB
  cgroup working set unknown -> 212.0 MiB
  cgroup charge 900.0 MiB -> 745.0 MiB (limit 1023.0 MiB)
    of it 2.0 MiB has left RSS and is charged all the same: parts of huge
    pages, which the kernel splits and frees when memory gets short
  RSS says 740.0 MiB; the kubelet's working_set says 212.0 MiB; the difference
  is lazily freed (528.0 MiB). It counts in RSS and in the charge until the
  kernel takes it, which it does when memory gets short.

exactly16bytes! (pid)"))
      << text;
}

TEST(SummaryText, TheDifferenceIsSaidToBeLazilyFreedOnlyIfItIs) {
  constexpr std::string_view kAllOfIt = "the difference is lazily freed";
  constexpr std::string_view kPartOfIt = "528.0 MiB is lazily freed: RSS and the charge count it";
  const auto text_with = [](auto change) {
    RunTotals totals = a_watched_run();
    change(*totals.group->last_sample);
    std::string text = summary_text(totals);
    // Lines are broken anywhere.
    std::string flat;
    for (const char c : text) {
      if (c != '\n' && (c != ' ' || flat.empty() || flat.back() != ' ')) flat += c;
      if (c == '\n') flat += ' ';
      while (flat.ends_with("  ")) flat.pop_back();
    }
    EXPECT_LE(widest_line(text), 80U) << text;
    return flat;
  };
  EXPECT_TRUE(contains(text_with([](SampleRow&) {}), kAllOfIt));
  // The kernel has page cache charged to it as well; or processes share pages.
  for (const std::uint64_t working_set : {312U, 112U, 741U}) {
    const std::string text =
        text_with([&](SampleRow& row) { row.sample.group.working_set_bytes = working_set * kMiB; });
    EXPECT_FALSE(contains(text, kAllOfIt)) << text;
    EXPECT_TRUE(contains(text, kPartOfIt)) << text;
  }
  // The list on which lazily freed pages stand has not got so many.
  const std::string elsewhere = text_with([](SampleRow& row) { row.sample.group.inactive_file_bytes = 526 * kMiB; });
  EXPECT_FALSE(contains(elsewhere, "is lazily freed")) << elsewhere;
  // A few pages of lag do not count.
  EXPECT_TRUE(
      contains(text_with([](SampleRow& row) { row.sample.group.inactive_file_bytes = 528 * kMiB - 4096; }), kAllOfIt));
  for (const auto member : {&Sample::rss_bytes, &Sample::lazyfree_bytes}) {
    EXPECT_FALSE(contains(text_with([&](SampleRow& row) { (row.sample.*member).reset(); }), "is lazily freed"));
  }
  for (const auto member : {&GroupCharge::working_set_bytes, &GroupCharge::inactive_file_bytes}) {
    EXPECT_FALSE(contains(text_with([&](SampleRow& row) { (row.sample.group.*member).reset(); }), "is lazily freed"));
  }
  EXPECT_FALSE(contains(text_with([](SampleRow& row) { row.sample.lazyfree_bytes = 0; }), "is lazily freed"));
}

TEST(SummaryText, SaysWhatHappenedToAGroup) {
  RunTotals totals = a_watched_run();
  totals.group->growth = {.oom_kills = 0, .high_events = 0, .max_events = 0, .pressure_some_us = 1'000'000};
  EXPECT_FALSE(contains(summary_text(totals), "OOM"));
  EXPECT_FALSE(contains(summary_text(totals), "memory."));
  EXPECT_FALSE(contains(summary_text(totals), "waited")) << "less than 1% of the time";
  totals.group->growth = {.oom_kills = 2, .high_events = 1, .max_events = 1'234, .pressure_some_us = 2'000'000};
  totals.group->left_out = 1;
  const std::string text = summary_text(totals);
  EXPECT_LE(widest_line(text), 80U) << text;
  EXPECT_TRUE(contains(text, R"(
  The OOM killer killed 2 processes of it. It was throttled at memory.high once.
  It was about to go over memory.max 1,234 times. Some of its tasks waited for
  memory for 2.0 s.
  1 process that is not Go was left out; --all follows it too.
)")) << text;
}

TEST(SummaryText, OfAGroupThatNothingIsKnownOfItSaysSo) {
  RunTotals totals = a_run();
  totals.group.emplace();
  EXPECT_TRUE(contains(summary_text(totals), "\ncgroup ?\n\nexactly")) << summary_text(totals);
  totals.group->first_sample.emplace();
  totals.group->last_sample.emplace();
  EXPECT_TRUE(contains(summary_text(totals), "RSS of its traced processes unknown -> unknown\n"));
  totals.processes[0].ended = true;
  EXPECT_TRUE(contains(summary_text(totals), "RSS of its traced processes unknown -> none is left\n"));
  totals.group->info.name = "\x1b[31m";
  EXPECT_FALSE(contains(summary_text(totals), "\x1b"));
}

TEST(SummaryText, NamesDoNotReachTheTerminalAsTheyAre) {
  RunTotals totals = a_run();
  totals.processes[0].comm = "\x1b]0;owned\x07";
  totals.processes[0].exe = "/tmp/\x1b[2J\n\xff";
  totals.lost["\x1b[31m"] = 1;
  const std::string text = summary_text(totals);
  EXPECT_FALSE(contains(text, "\x1b")) << text;
  EXPECT_FALSE(contains(text, "\x07")) << text;
  EXPECT_TRUE(contains(text, "\\x1b]0;owned\\x07 (pid 4194304, /tmp/\\x1b[2J\\x0a\xEF\xBF\xBD)\n")) << text;
}

TEST(SummaryText, AnEmptyTraceIsWrittenToo) {
  EXPECT_TRUE(contains(summary_text(RunTotals{}), "0 processes, 0 calls"));
  RunTotals totals = a_run();
  totals.processes[0] = ProcessTotals{};
  EXPECT_TRUE(contains(summary_text(totals), "? (pid 0)\n  no calls\n")) << summary_text(totals);
}

TEST(SummaryJson, HasEveryKey) {
  const Json json = Json::parse(summary_json(a_run()));
  for (const char* key : {"schema", "argv", "version", "kernel", "tier", "capabilities", "labels", "started_ts_ns",
                          "duration_ns", "processes", "totals", "delays", "lost", "self", "complete"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  for (const char* key : {"pid", "start_ts_ns", "exe", "build_id", "go_version", "godebug", "expected_advice", "cgroup",
                          "books", "lazyfree_at_start_bytes", "verdict", "calls", "delays", "rss_at_start_bytes",
                          "rss_at_end_bytes", "gc_marks", "gc_cycles"}) {
    EXPECT_TRUE(json.at("processes").at(0).contains(key)) << key;
  }
  for (const char* key : {"cpu_ns", "max_rss_bytes"}) EXPECT_TRUE(json.at("self").contains(key)) << key;
}

TEST(SummaryJson, SaysWhatHappened) {
  const Json json = Json::parse(summary_json(a_run()));
  EXPECT_EQ(json.at("schema"), 1);
  EXPECT_EQ(json.at("argv"), Json::array({"madvtrace", "-p", "1"}));
  EXPECT_EQ(json.at("labels").at("service"), "shop");
  EXPECT_EQ(json.at("capabilities").at("page_walk"), "yes");
  EXPECT_EQ(json.at("started_ts_ns"), 1'700'000'000'000'000'000);
  EXPECT_EQ(json.at("duration_ns"), 125'000'000'000);
  EXPECT_EQ(json.at("complete"), true);
  EXPECT_EQ(json.at("lost"), Json::object());
  EXPECT_EQ(json.at("self").at("cpu_ns"), 3);
  EXPECT_FALSE(json.contains("command"));
  const Json& process = json.at("processes").at(0);
  EXPECT_EQ(process.at("books"), "none");
  EXPECT_EQ(process.at("lazyfree_at_start_bytes"), kMiB);
  EXPECT_EQ(process.at("rss_at_end_bytes"), 512 * kMiB);
  EXPECT_EQ(process.at("wait_status"), nullptr);
  for (const Json& calls : process.at("calls")) {
    if (calls.at("advice") == "MADV_DONTNEED") {
      EXPECT_EQ(calls.at("call"), "madvise");
      EXPECT_EQ(calls.at("calls"), 8'192);
      EXPECT_EQ(calls.at("failed"), 1);
      EXPECT_EQ(calls.at("resident_bytes"), 512 * kMiB);
      EXPECT_EQ(calls.at("rss_delta_bytes"), -static_cast<std::int64_t>(511 * kMiB));
    }
    if (calls.at("call") == "mmap") {
      EXPECT_EQ(calls.at("advice"), nullptr);
      EXPECT_EQ(calls.at("resident_bytes"), nullptr) << "unknown, not 0";
      EXPECT_EQ(calls.at("unknown_resident_calls"), 3);
    }
  }
}

TEST(SummaryJson, HasTheGroupThatWasWatched) {
  EXPECT_FALSE(Json::parse(summary_json(a_run())).contains("group"));
  RunTotals totals = a_watched_run();
  totals.group->growth = {.oom_kills = 2, .high_events = 0};
  totals.group->left_out = 3;
  totals.group->processes = 5;
  totals.processes.push_back(a_process(7));
  totals.processes.back().outside_group = true;
  const Json group = Json::parse(summary_json(totals)).at("group");
  EXPECT_EQ(group.at("name"), "/web");
  EXPECT_EQ(group.at("path"), "/web");
  EXPECT_EQ(group.at("controllers"), Json::array({"memory"}));
  EXPECT_EQ(group.at("id"), 4711);
  EXPECT_EQ(group.at("how"), "a path");
  EXPECT_EQ(group.at("container_id"), nullptr);
  EXPECT_EQ(group.at("container_name"), nullptr);
  EXPECT_EQ(group.at("go_only"), true);
  EXPECT_EQ(group.at("charge_at_start").at("usage_bytes"), 900 * kMiB);
  EXPECT_EQ(group.at("charge_at_start").at("working_set_bytes"), nullptr);
  EXPECT_EQ(group.at("charge_at_end").at("working_set_bytes"), 212 * kMiB);
  EXPECT_EQ(group.at("rss_at_start_bytes"), 800 * kMiB);
  EXPECT_EQ(group.at("rss_at_end_bytes"), 740 * kMiB);
  EXPECT_EQ(group.at("lazyfree_at_end_bytes"), 528 * kMiB);
  EXPECT_EQ(group.at("pending_bytes"), 500 * kMiB);
  EXPECT_EQ(group.at("oom_kills"), 2);
  EXPECT_EQ(group.at("high_events"), 0);
  for (const char* key : {"max_events", "pressure_some_us", "pressure_full_us"}) EXPECT_EQ(group.at(key), nullptr);
  EXPECT_EQ(group.at("processes_at_end"), 5);
  EXPECT_EQ(group.at("processes_followed"), 1);
  EXPECT_EQ(group.at("left_out"), 3);
  totals.group.emplace();
  const Json nothing = Json::parse(summary_json(totals)).at("group");
  for (const char* key : {"charge_at_start", "charge_at_end", "rss_at_start_bytes", "rss_at_end_bytes", "pending_bytes",
                          "lazyfree_at_end_bytes", "oom_kills", "processes_at_end"}) {
    EXPECT_EQ(nothing.at(key), nullptr) << key;
  }
}

TEST(SummaryJson, CollectionsAreCountedWhereTheyAreSeen) {
  const auto process_with = [](const std::string& gc_marks, std::uint64_t cycles) {
    RunTotals totals = a_run();
    totals.processes[0].gc_marks = gc_marks;
    totals.processes[0].gc_cycles = cycles;
    return Json::parse(summary_json(totals)).at("processes").at(0);
  };
  EXPECT_EQ(process_with("yes", 0).at("gc_cycles"), 0);
  EXPECT_EQ(process_with("yes", 7).at("gc_cycles"), 7);
  EXPECT_EQ(process_with("refused", 0).at("gc_cycles"), nullptr) << "unknown, not 0";
  EXPECT_EQ(process_with("refused", 0).at("gc_marks"), "refused");
  EXPECT_EQ(process_with("", 0).at("gc_marks"), nullptr);
}

TEST(SummaryJson, TheTotalsAreTheSumOfTheProcesses) {
  RunTotals totals = a_run();
  totals.processes.push_back(a_process(7));
  const Json json = Json::parse(summary_json(totals));
  EXPECT_EQ(json.at("totals").at("event_rows"), 1'008'196);
  std::uint64_t calls = 0;
  for (const Json& entry : json.at("totals").at("calls")) {
    calls += entry.at("calls").get<std::uint64_t>();
    if (entry.at("advice") == "MADV_DONTNEED") {
      EXPECT_EQ(entry.at("rss_delta_bytes"), -static_cast<std::int64_t>(1'022 * kMiB));
    }
  }
  EXPECT_EQ(calls, 2U * 1'008'196);
}

TEST(SummaryJson, WhatIsMissingMakesItIncomplete) {
  RunTotals totals = a_run();
  totals.lost["call_ring_full"] = 2;
  Json json = Json::parse(summary_json(totals));
  EXPECT_EQ(json.at("complete"), false);
  EXPECT_EQ(json.at("lost").at("call_ring_full"), 2);
  totals = a_run();
  totals.end.reset();
  totals.duration_ns = 0;
  json = Json::parse(summary_json(totals));
  EXPECT_EQ(json.at("complete"), false);
  EXPECT_EQ(json.at("duration_ns"), nullptr);
  EXPECT_EQ(json.at("self").at("cpu_ns"), nullptr);
}

TEST(SummaryJson, TheUnknownIsNull) {
  RunTotals totals = a_run();
  totals.processes[0] = ProcessTotals{};
  const Json json = Json::parse(summary_json(totals));
  for (const char* key : {"start_ts_ns", "exe", "build_id", "cgroup", "lazyfree_at_start_bytes", "rss_at_start_bytes",
                          "rss_at_end_bytes", "rss_max_bytes", "wait_status"}) {
    EXPECT_EQ(json.at("processes").at(0).at(key), nullptr) << key;
  }
}

TEST(SummaryJson, SurvivesAnyText) {
  RunTotals totals = a_run();
  totals.processes[0].comm = "\xff\"\\\n";
  totals.info.argv = {std::string("\0\x01\xc3", 3)};
  totals.lost["\xff"] = 1;
  const std::string text = summary_json(totals);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(Json::parse(text).at("processes").at(0).at("comm"), "\xEF\xBF\xBD\"\\\n");
}

TEST(SummaryJson, SaysHowTheCommandEnded) {
  RunTotals totals = a_run();
  totals.command_end = CommandEnd{.pid = 5, .wait_status = 256};
  const Json json = Json::parse(summary_json(totals));
  EXPECT_EQ(json.at("command").at("pid"), 5);
  EXPECT_EQ(json.at("command").at("wait_status"), 256);
}

ProcessTotals with_rss(std::uint32_t pid = 1) {
  ProcessTotals process;
  process.pid = pid;
  process.rss.start_rss_bytes = 24 * kMiB;
  process.rss.start_swap_bytes = kMiB;
  auto& sources = process.rss.sources;
  sources[{RssCause::kFault, {}}] = {.gained_bytes = 512 * kMiB, .lost_bytes = 2 * kMiB, .swap_delta_bytes = -4096};
  sources[{RssCause::kRelease, {}}] = {.gained_bytes = 40 * kMiB, .lost_bytes = 480 * kMiB};
  sources[{RssCause::kReclaim, Reclaimer::kKswapd}] = {.lost_bytes = 8 * kMiB, .swap_delta_bytes = 8 * kMiB};
  sources[{RssCause::kReclaim, Reclaimer::kMemcg}] = {.lost_bytes = 4 * kMiB};
  sources[{RssCause::kKhugepaged, {}}] = {.gained_bytes = kMiB};
  sources[{RssCause::kExit, {}}] = {.lost_bytes = 83 * kMiB};
  process.rss.overdrawn_bytes = 4096;
  return process;
}

// The largest first, in both directions where both count, and not what is hardly anything.
TEST(SummaryText, SaysWhatChangedRss) {
  RunTotals totals;
  totals.info.tier = "exact";
  totals.processes.push_back(with_rss());
  const std::string text = summary_text(totals);
  EXPECT_TRUE(contains(text,
                       "  RSS by cause: 24.0 MiB at the start, faults +510.0 MiB, releases +40.0 MiB and\n"
                       "  -480.0 MiB, exit -83.0 MiB, reclaim by kswapd -8.0 MiB, memcg -4.0 MiB.\n"))
      << text;
  EXPECT_FALSE(contains(text, "khugepaged"));
  EXPECT_LE(widest_line(text), 80U);
  // It is not known what there was.
  totals.processes[0].rss.start_rss_bytes.reset();
  EXPECT_TRUE(contains(summary_text(totals), "  RSS by cause: faults +510.0 MiB, ")) << summary_text(totals);
  totals.processes[0].rss = {};
  EXPECT_FALSE(contains(summary_text(totals), "RSS by cause"));
}

TEST(SummaryText, OfManyProcessesSaysWhatChangedTheirRssTogether) {
  RunTotals totals;
  totals.info.tier = "exact";
  for (std::uint32_t pid = 1; pid <= 6; ++pid) totals.processes.push_back(with_rss(pid));
  EXPECT_TRUE(contains(summary_text(totals),
                       "\nAll of them together:\n"
                       "  RSS by cause: 144.0 MiB at the start, faults +3.0 GiB, "))
      << summary_text(totals);
  for (ProcessTotals& process : totals.processes) process.rss = {};
  EXPECT_FALSE(contains(summary_text(totals), "All of them together"));
}

TEST(SummaryText, HostileRssDoesNoHarm) {
  RunTotals totals;
  totals.info.tier = "exact";
  totals.processes.push_back(with_rss());
  totals.processes[0].rss.sources[{RssCause::kOther, {}}] = {.gained_bytes = std::uint64_t{1} << 63};
  totals.processes[0].rss.sources[{RssCause::kOomReaper, {}}] = {.lost_bytes = UINT64_MAX};
  EXPECT_TRUE(contains(summary_text(totals), "OOM reaper"));
  EXPECT_LE(widest_line(summary_text(totals)), 80U);
}

TEST(SummaryJson, SaysWhatChangedRssOnlyIfThatWasCounted) {
  RunTotals totals;
  totals.processes = {with_rss(1), with_rss(2)};
  EXPECT_FALSE(Json::parse(summary_json(totals)).contains("rss_changes"));
  EXPECT_FALSE(Json::parse(summary_json(totals))["processes"][0].contains("rss_changes"));
  totals.info.tier = "exact";
  const Json json = Json::parse(summary_json(totals));
  const Json& rss = json["processes"][0]["rss_changes"];
  EXPECT_EQ(rss["start_rss_bytes"], 24 * kMiB);
  EXPECT_EQ(rss["start_swap_bytes"], kMiB);
  EXPECT_EQ(rss["overdrawn_bytes"], 4096);
  ASSERT_EQ(rss["causes"].size(), 6U);
  EXPECT_EQ(rss["causes"][0], Json::parse(R"({"cause":"fault","by":null,"gained_bytes":536870912,
                                              "lost_bytes":2097152,"swap_delta_bytes":-4096})"));
  EXPECT_EQ(rss["causes"][3]["cause"], "reclaim");
  EXPECT_EQ(rss["causes"][3]["by"], "kswapd");
  EXPECT_EQ(rss["causes"][5]["cause"], "exit");
  EXPECT_EQ(json["rss_changes"]["start_rss_bytes"], 48 * kMiB);
  EXPECT_EQ(json["rss_changes"]["overdrawn_bytes"], 8192);
  EXPECT_EQ(json["rss_changes"]["causes"][0]["gained_bytes"], 1024 * kMiB);
  EXPECT_EQ(json["rss_changes"]["causes"][0]["swap_delta_bytes"], -8192);
  totals.processes[0].rss.start_rss_bytes.reset();
  EXPECT_TRUE(Json::parse(summary_json(totals))["processes"][0]["rss_changes"]["start_rss_bytes"].is_null());
}

}  // namespace
}  // namespace madvtrace
