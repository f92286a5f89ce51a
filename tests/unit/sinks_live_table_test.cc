// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "model/advice.h"
#include "sinks/live_table.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSecondNs = 1'000'000'000;

CallRow release(std::uint32_t pid, std::uint64_t bytes) {
  CallRow row;
  row.pid = pid;
  row.comm = {'s', 'e', 'r', 'v', 'e', 'r'};
  row.call = CallKind::kMadvise;
  row.advice = kMadvDontneed;
  row.ret = 0;
  row.resident_bytes = bytes;
  row.rss_delta_bytes = -static_cast<std::int64_t>(bytes);
  return row;
}

SampleRow sample(std::uint32_t pid, std::uint64_t at_ns, std::uint64_t rss_bytes) {
  return {.mono_ns = at_ns, .pid = pid, .sample = {.rss_bytes = rss_bytes}};
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(LiveTable, ALineAnIntervalWithWhatHappenedInIt) {
  LiveTable table;
  table.on_call(release(100, 3 * kMiB));
  table.on_call(release(100, kMiB));
  table.on_sample(sample(100, 5 * kSecondNs, 20 * kMiB));
  const auto first = lines(table.take_interval(0));
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(contains(first[0], "RSS"));
  EXPECT_EQ(first[1], "  0.0s     100 server         20.0 MiB                   2    4.0 MiB          -");
  table.on_sample(sample(100, 6 * kSecondNs, 16 * kMiB));
  const auto second = lines(table.take_interval(0));
  ASSERT_EQ(second.size(), 1U) << "no header on every line";
  EXPECT_EQ(second[0], "  1.0s     100 server         16.0 MiB   -4.0 MiB        0        0 B          -");
}

TEST(LiveTable, MarkersAreNoCalls) {
  LiveTable table;
  for (const CallKind kind : {CallKind::kExec, CallKind::kGcStart, CallKind::kGcEnd}) {
    CallRow marker = release(100, kMiB);
    marker.call = kind;
    table.on_call(marker);
  }
  table.on_sample(sample(100, 5 * kSecondNs, 20 * kMiB));
  EXPECT_EQ(lines(table.take_interval(0)).back(),
            "  0.0s     100 server         20.0 MiB                   0        0 B          -");
}

TEST(LiveTable, FitsEightyColumns) {
  LiveTable table;
  for (std::uint32_t pid = 4'000'000; pid < 4'000'030; ++pid) {
    table.on_call(release(pid, 1023 * kMiB));
    table.on_sample(sample(pid, kSecondNs, 1023 * kMiB));
  }
  for (const std::string& line : lines(table.take_interval(123'456'789))) EXPECT_LE(line.size(), 80U) << line;
}

TEST(LiveTable, TheBusiestAreShownAndTheRestIsOneLine) {
  LiveTable table;
  for (std::uint32_t pid = 1; pid <= 13; ++pid) {
    table.on_call(release(pid, pid * kMiB));
    table.on_sample(sample(pid, kSecondNs, 10 * kMiB));
  }
  const auto got = lines(table.take_interval(0));
  ASSERT_EQ(got.size(), 1 + LiveTable::kProcessesShown + 1);
  EXPECT_TRUE(contains(got[1], "     13 server")) << got[1];
  EXPECT_TRUE(contains(got.back(), "+3 more")) << got.back();
  EXPECT_TRUE(contains(got.back(), "30.0 MiB")) << got.back();
  EXPECT_TRUE(contains(got.back(), "6.0 MiB")) << got.back();  // 1 + 2 + 3
}

SampleRow of_group(std::uint64_t at_ns, std::optional<std::uint64_t> rss_bytes) {
  return {
      .mono_ns = at_ns,
      .pending_bytes = 3 * kMiB,
      .sample = {.rss_bytes = rss_bytes,
                 .group = {.usage_bytes = 1023 * kMiB, .working_set_bytes = 1022 * kMiB, .limit_bytes = 1021 * kMiB}}};
}

TEST(LiveTable, AGroupOf300IsReadable) {
  LiveTable table;
  const auto interval = [&](std::uint64_t at_ns, std::uint64_t group_rss) {
    for (std::uint32_t pid = 1; pid <= 300; ++pid) {
      SampleRow row = sample(pid, at_ns, (pid == 77 ? 500 : 10) * kMiB);
      row.comm = {'j', 'o', 'b'};
      row.pending_bytes = pid == 200 ? 9 * kMiB : 0;
      table.on_sample(row);
    }
    table.on_call(release(299, kMiB));
    table.on_sample(of_group(at_ns, group_rss));
    return lines(table.take_interval(0));
  };
  auto got = interval(kSecondNs, 3000 * kMiB);
  ASSERT_EQ(got.size(), 1 + LiveTable::kProcessesShown + 3);
  // Most pending, most given back, largest.
  EXPECT_EQ(got[1], "  0.0s     200 job            10.0 MiB                   0        0 B    9.0 MiB");
  EXPECT_EQ(got[2], "  0.0s     299 server         10.0 MiB                   1    1.0 MiB        0 B");
  EXPECT_EQ(got[3], "  0.0s      77 job           500.0 MiB                   0        0 B        0 B");
  EXPECT_EQ(got[11], "               +290 more       2.8 GiB                   0        0 B        0 B");
  EXPECT_EQ(got[12], "  0.0s   group of 300          2.9 GiB                   1    1.0 MiB    3.0 MiB");
  EXPECT_EQ(got[13], "               working set 1022.0 MiB, charge 1023.0 MiB, limit 1021.0 MiB");
  got = interval(2 * kSecondNs, 2999 * kMiB);
  EXPECT_EQ(got[got.size() - 2], "  1.0s   group of 300          2.9 GiB   -1.0 MiB        1    1.0 MiB    3.0 MiB");
  for (const std::string& line : got) EXPECT_LE(line.size(), 80U) << line;
}

TEST(LiveTable, InTheSumsOfAGroupAreThoseThatEnded) {
  LiveTable table;
  CallRow exit = release(1, 0);
  exit.call = CallKind::kExit;
  // One that was looked at, one that lived too short, and one with the pid of that.
  table.on_call(release(1, kMiB));
  table.on_sample(sample(1, kSecondNs, kMiB));
  table.on_call(exit);
  exit.pid = 2;
  table.on_call(release(2, 2 * kMiB));
  table.on_call(exit);
  table.on_call(release(2, 4 * kMiB));
  table.on_call(exit);
  table.on_call(release(3, 8 * kMiB));
  table.on_sample(sample(3, kSecondNs, kMiB));
  table.on_sample(of_group(kSecondNs, kMiB));
  const auto got = lines(table.take_interval(0));
  EXPECT_EQ(got[got.size() - 2], "  0.0s   group of 1            1.0 MiB                   4   15.0 MiB    3.0 MiB");
  table.on_sample(of_group(2 * kSecondNs, kMiB));
  const auto next = lines(table.take_interval(0));
  EXPECT_EQ(next[next.size() - 2], "  1.0s   group of 0            1.0 MiB       +0 B        0        0 B    3.0 MiB");
}

TEST(LiveTable, AGroupOfNobodyIsALine) {
  LiveTable table;
  SampleRow row = of_group(kSecondNs, std::nullopt);
  row.pending_bytes.reset();
  row.sample.group = {};
  table.on_sample(row);
  CallRow marker;
  marker.call = CallKind::kOomKill;
  table.on_call(marker);
  const auto got = lines(table.take_interval(0));
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1], "  0.0s   group of 0                  -                   0        0 B          -");
  EXPECT_EQ(table.take_interval(0), "") << "each interval has its own";
}

TEST(LiveTable, OfTheRestWhatIsUnknownOfOneIsUnknown) {
  LiveTable table;
  for (std::uint32_t pid = 1; pid <= 12; ++pid) {
    SampleRow row = sample(pid, kSecondNs, kMiB);
    if (pid != 12) row.pending_bytes = 0;
    table.on_sample(row);
  }
  EXPECT_TRUE(lines(table.take_interval(0)).back().ends_with("0 B          -"));
}

TEST(LiveTable, APidThatIsUsedAgainIsAnotherProcess) {
  LiveTable table;
  table.on_call(release(1, 5 * kMiB));
  table.on_sample(sample(1, kSecondNs, 50 * kMiB));
  table.take_interval(0);
  table.on_call(release(1, 5 * kMiB));
  CallRow exit = release(1, 0);
  exit.call = CallKind::kExit;
  table.on_call(exit);
  table.on_sample(sample(1, 2 * kSecondNs, 10 * kMiB));
  EXPECT_EQ(lines(table.take_interval(0)).back(),
            "  1.0s       1                10.0 MiB                   0        0 B          -");
  // One that ended in an earlier interval.
  table.on_call(release(1, kMiB));
  table.on_call(exit);
  table.take_interval(0);
  table.on_sample(sample(1, 4 * kSecondNs, 10 * kMiB));
  EXPECT_EQ(lines(table.take_interval(0)).back(),
            "  3.0s       1                10.0 MiB                   0        0 B          -");
}

TEST(LiveTable, LossesAreTold) {
  LiveTable table;
  EXPECT_EQ(table.take_interval(0), "");
  EXPECT_TRUE(contains(table.take_interval(1'234), "1,234 records lost so far"));
}

TEST(LiveTable, LazilyFreedBytesMakeAProcessBusy) {
  LiveTable table;
  CallRow lazy = release(2, 100 * kMiB);
  lazy.advice = kMadvFree;
  lazy.rss_delta_bytes = 0;
  table.on_call(release(1, kMiB));
  table.on_call(lazy);
  table.on_sample(sample(1, kSecondNs, kMiB));
  table.on_sample(sample(2, kSecondNs, kMiB));
  const auto got = lines(table.take_interval(0));
  ASSERT_EQ(got.size(), 3U);
  EXPECT_TRUE(contains(got[1], "      2 server")) << got[1];
}

TEST(LiveTable, NamesDoNotReachTheTerminalAsTheyAre) {
  LiveTable table;
  CallRow row = release(1, 1);
  row.comm = {'\x1b', '[', '2', 'J', '\n', '\xff'};
  table.on_call(row);
  table.on_sample(sample(1, kSecondNs, kMiB));
  const std::string text = table.take_interval(0);
  EXPECT_FALSE(contains(text, "\x1b"));
  EXPECT_EQ(lines(text).size(), 2U);
}

TEST(LiveTable, ANameThatIsCutStaysUtf8) {
  LiveTable table;
  CallRow row = release(1, 1);
  // The 12th byte is the first half of a letter.
  const std::string_view name = "12345678901\xc3\xa9xyz";
  std::copy(name.begin(), name.end(), row.comm.begin());
  table.on_call(row);
  table.on_sample(sample(1, kSecondNs, kMiB));
  const std::string text = table.take_interval(0);
  EXPECT_FALSE(contains(text, "\xc3 ")) << text;
}

}  // namespace
}  // namespace madvtrace
