// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>

#include "model/names.h"
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
  // The one that gave most back comes first, wherever it stood.
  EXPECT_LT(text.find("exactly16bytes!"), text.find("small (pid"));
  EXPECT_TRUE(contains(text, "and 3 more, with 30 calls in all")) << text;
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

}  // namespace
}  // namespace madvtrace
