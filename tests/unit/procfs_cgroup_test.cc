// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "procfs/cgroup.h"

namespace madvtrace {
namespace {

// Hybrid: v1 controllers beside an empty unified hierarchy.
constexpr std::string_view kHybrid =
    "9:name=systemd:/user.slice\n"
    "5:devices:/\n"
    "4:memory:/kubepods/burstable/pod6a1c:x/0123456789ab\n"
    "3:cpuset:/\n"
    "2:cpu,cpuacct:/docker/0123456789ab\n"
    "0::/system.slice/server.service\n";

TEST(ProcCgroup, ReadsTheHybridLayout) {
  const std::vector<CgroupEntry> entries = parse_cgroup(kHybrid);
  ASSERT_EQ(entries.size(), 6U);
  EXPECT_EQ(entries[4].hierarchy_id, 2U);
  EXPECT_EQ(entries[4].controllers, (std::vector<std::string>{"cpu", "cpuacct"}));
  EXPECT_EQ(entries[4].path, "/docker/0123456789ab");
  EXPECT_TRUE(entries[5].controllers.empty());
}

TEST(ProcCgroup, FindsAHierarchy) {
  const std::vector<CgroupEntry> entries = parse_cgroup(kHybrid);
  EXPECT_EQ(unified_path(entries), "/system.slice/server.service");
  // A colon in a name is part of it.
  EXPECT_EQ(controller_path(entries, "memory"), "/kubepods/burstable/pod6a1c:x/0123456789ab");
  EXPECT_EQ(controller_path(entries, "cpuacct"), "/docker/0123456789ab");
  EXPECT_EQ(controller_path(entries, "name=systemd"), "/user.slice");
  EXPECT_EQ(controller_path(entries, "cpu,cpuacct"), std::nullopt);
  EXPECT_EQ(controller_path(entries, "mem"), std::nullopt);
  EXPECT_EQ(controller_path(entries, ""), std::nullopt);
}

TEST(ProcCgroup, ThePureUnifiedLayoutHasNoControllers) {
  const std::vector<CgroupEntry> entries = parse_cgroup("0::/../../kubepods.slice/x.scope\n");
  EXPECT_EQ(unified_path(entries), "/../../kubepods.slice/x.scope");
  EXPECT_EQ(controller_path(entries, "memory"), std::nullopt);
}

TEST(ProcCgroup, WithoutAUnifiedHierarchyThereIsNoPath) {
  EXPECT_EQ(unified_path(parse_cgroup("4:memory:/a\n")), std::nullopt);
  EXPECT_EQ(unified_path({}), std::nullopt);
}

TEST(ProcCgroup, OnlyTheUnifiedHierarchyMarksARemovedGroup) {
  const std::vector<CgroupEntry> entries = parse_cgroup("4:memory:/a (deleted)\n0::/b c (deleted)\n");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].path, "/a (deleted)");
  EXPECT_FALSE(entries[0].deleted);
  EXPECT_EQ(entries[1].path, "/b c");
  EXPECT_TRUE(entries[1].deleted);
}

TEST(ProcCgroup, LinesThatAreNoneArePassedOver) {
  const std::vector<CgroupEntry> entries =
      parse_cgroup("\n4\n4:memory\n4:memory:\n4:memory:a\nx:memory:/a\n-1:cpu:/a\n4294967296:cpu:/a\n7:pids:/ok");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].path, "/ok");
}

TEST(ProcCgroup, SurvivesGarbage) {
  EXPECT_TRUE(parse_cgroup(std::string(10'000'000, '\0')).empty());
  EXPECT_TRUE(parse_cgroup(std::string(10'000'000, ':')).empty());
  std::string many;
  for (int line = 0; line < 1'000; ++line) many += "1:cpu:/\n";
  EXPECT_EQ(parse_cgroup(many).size(), 64U);
}

}  // namespace
}  // namespace madvtrace
