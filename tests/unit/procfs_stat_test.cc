// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procfs/stat.h"

namespace madvtrace {
namespace {

// 6.18, as they are.
constexpr std::string_view kProcess =
    "4772 (cat) R 4768 4767 3557 0 -1 4194304 99 0 0 0 0 0 0 0 20 0 6 0 185932 3133440 412 18446744073709551615 "
    "94914738737152 94914738757033 140721124402640 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94914738773040 94914738774656 "
    "94915698442240 140721124403654 140721124403674 140721124403674 140721124405227 0\n";
constexpr std::string_view kOddName =
    "4974 () (a\n\\b) R 1) R 4965 4965 3557 0 -1 4194304 104 0 0 0 0 0 0 0 20 0 1 0 200909 2691072 343 "
    "18446744073709551615 94083084402688 94083084404717 140730511897312 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 "
    "94083084414416 94083084415136 94083905527808 140730511899088 140730511899098 140730511899098 140730511900654 0\n";
constexpr std::string_view kKernelThread =
    "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 "
    "0 1 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
constexpr std::string_view kZombie =
    "4977 (child) Z 4974 4965 3557 0 -1 4227148 18 0 0 0 0 0 0 0 20 0 1 0 200910 0 0 18446744073709551615 0 0 0 0 0 0 "
    "0 0 0 1 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

TEST(ProcStat, ReadsAProcess) {
  const std::optional<ProcessStat> stat = parse_stat(kProcess);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 4772);
  EXPECT_EQ(stat->comm, "cat");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->ppid, 4768);
  EXPECT_EQ(stat->flags, 4194304U);
  EXPECT_EQ(stat->num_threads, 6U);
  EXPECT_EQ(stat->start_time_ticks, 185932U);
  EXPECT_FALSE(stat->kernel_thread());
}

TEST(ProcStat, TheNameEndsAtTheLastBracket) {
  const std::optional<ProcessStat> stat = parse_stat(kOddName);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, ") (a\n\\b) R 1");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->ppid, 4965);
  EXPECT_EQ(stat->start_time_ticks, 200909U);
}

TEST(ProcStat, TellsKernelThreadsFromZombies) {
  const std::optional<ProcessStat> kernel_thread = parse_stat(kKernelThread);
  const std::optional<ProcessStat> zombie = parse_stat(kZombie);
  ASSERT_TRUE(kernel_thread && zombie);
  EXPECT_TRUE(kernel_thread->kernel_thread());
  EXPECT_FALSE(zombie->kernel_thread());
  EXPECT_EQ(zombie->state, 'Z');
}

TEST(ProcStat, TheNameMayBeEmpty) {
  std::string text(kProcess);
  text.replace(text.find("cat"), 3, "");
  const auto stat = parse_stat(text);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "");
}

TEST(ProcStat, StartTimeIsSinceBoot) {
  ProcessStat stat;
  stat.start_time_ticks = 185932;
  EXPECT_EQ(start_time_ns(stat, 100), 1'859'320'000'000U);
  EXPECT_EQ(start_time_ns(stat, 1024), 181'574'218'750U);
  EXPECT_EQ(start_time_ns(stat, 0), std::nullopt);
  stat.start_time_ticks = UINT64_MAX;
  EXPECT_EQ(start_time_ns(stat, 100), std::nullopt);
  EXPECT_EQ(start_time_ns(stat, 1'000'000'000), std::nullopt);
}

TEST(ProcStat, RefusesWhatDoesNotFit) {
  const auto with = [](std::string_view what, std::string_view instead) {
    std::string text(kProcess);
    return parse_stat(text.replace(text.find(what), what.size(), instead));
  };
  EXPECT_FALSE(with("4772", ""));
  EXPECT_FALSE(with("4772", "99999999999"));
  EXPECT_FALSE(with(" R ", " RR "));
  EXPECT_FALSE(with(" R ", "  "));
  EXPECT_FALSE(with("4768", "x"));
  EXPECT_FALSE(with("4194304", "4294967296"));
  EXPECT_FALSE(with("185932", "18446744073709551616"));
  EXPECT_FALSE(with("185932", "-1"));
  EXPECT_FALSE(with("(cat", "cat"));
  EXPECT_FALSE(with("cat)", "cat"));
  EXPECT_FALSE(parse_stat("1 )( R 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"));
  EXPECT_FALSE(parse_stat("1 () "));
  EXPECT_FALSE(parse_stat("1 ("));
}

TEST(ProcStat, RefusesEveryTruncationThatMayCutTheStartTime) {
  const std::size_t whole = kProcess.find("185932 ") + 7;
  for (std::size_t length = 0; length < kProcess.size(); ++length) {
    const std::vector<char> cut(kProcess.begin(), kProcess.begin() + static_cast<std::ptrdiff_t>(length));
    const auto stat = parse_stat(std::string_view(cut.data(), cut.size()));
    EXPECT_EQ(stat.has_value(), length > whole) << length;
    EXPECT_EQ(stat.value_or(ProcessStat{}).start_time_ticks, length > whole ? 185932U : 0U) << length;
  }
}

TEST(ProcStat, SurvivesGarbage) {
  EXPECT_FALSE(parse_stat(""));
  EXPECT_FALSE(parse_stat(std::string(10'000'000, '\0')));
  EXPECT_FALSE(parse_stat("1 (" + std::string(10'000'000, ')')));
  EXPECT_FALSE(parse_stat("1 (x) " + std::string(10'000'000, ' ')));
}

}  // namespace
}  // namespace madvtrace
