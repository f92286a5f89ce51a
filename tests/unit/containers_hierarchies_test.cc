// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "containers/hierarchies.h"
#include "tests/support/file_tree.h"

namespace madvtrace {
namespace {

using Controllers = std::vector<std::string>;

CgroupMount mount_of(std::string root, const std::string& directory) {
  return {.controllers = {}, .root = std::move(root), .directory = directory};
}

CgroupEntry entry_of(std::string_view line) { return parse_cgroup(line).at(0); }

TEST(CgroupMounts, ReadsV1Hybrid) {
  const auto mounts = parse_cgroup_mounts(
      "23 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
      "31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n"
      "32 31 0:29 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"
      "33 31 0:30 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd\n"
      "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
      "37 31 0:34 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  ASSERT_EQ(mounts.size(), 4U);
  EXPECT_TRUE(mounts[0].unified());
  EXPECT_EQ(mounts[0].directory, "/sys/fs/cgroup/unified");
  EXPECT_EQ(mounts[1].controllers, Controllers{"name=systemd"});
  EXPECT_EQ(mounts[2].controllers, (Controllers{"cpu", "cpuacct"}));
  EXPECT_EQ(mounts[2].directory, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_TRUE(mounts[3].has_controller("memory"));
  EXPECT_EQ(hierarchy_name(mounts[0]), "unified");
  EXPECT_EQ(hierarchy_name(mounts[2]), "cpu,cpuacct");
}

TEST(CgroupMounts, OptionsAreNoControllers) {
  const auto mounts = parse_cgroup_mounts(
      "33 31 0:30 / /a rw - cgroup cgroup rw,xattr,noprefix,clone_children,cpuset_v2_mode,favordynmods,"
      "release_agent=/sbin/agent,cpuset\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].controllers, Controllers{"cpuset"});
}

TEST(CgroupMounts, NamesAreUnescaped) {
  const auto mounts = parse_cgroup_mounts("33 31 0:30 /a\\040b /m\\134n\\011 rw - cgroup2 - rw\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].root, "/a b");
  EXPECT_EQ(mounts[0].directory, "/m\\n\t");
}

TEST(CgroupMounts, WhatShowsMostComesFirst) {
  // A container with a cgroup namespace of its own, and the machine's hierarchy.
  const auto mounts = parse_cgroup_mounts(
      "1 0 0:30 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
      "2 0 0:30 /../sibling /mnt ro - cgroup2 cgroup rw\n"
      "3 0 0:30 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup rw\n"
      "4 0 0:30 /own/part /part ro - cgroup2 cgroup rw\n");
  ASSERT_EQ(mounts.size(), 4U);
  EXPECT_EQ(mounts[0].directory, "/host/sys/fs/cgroup");
  EXPECT_EQ(mounts[1].directory, "/mnt");
  EXPECT_EQ(mounts[2].directory, "/sys/fs/cgroup");
  EXPECT_EQ(mounts[3].directory, "/part");
}

TEST(CgroupMounts, LinesThatAreNoneArePassedOver) {
  EXPECT_TRUE(parse_cgroup_mounts("\n1\n1 2 3 / /a rw\n1 2 3 / /a rw - cgroup\n1 2 3 / /a rw - cgroup c rw,xattr\n"
                                  "1 2 3 a /a rw - cgroup2 c rw\n1 2 3 / a rw - cgroup2 c rw\n")
                  .empty());
  EXPECT_TRUE(parse_cgroup_mounts(std::string(10'000'000, ' ')).empty());
  EXPECT_TRUE(parse_cgroup_mounts(std::string(10'000'000, '\0')).empty());
  std::string many;
  for (int line = 0; line < 1'000; ++line) many += "1 2 3 / /a rw - cgroup2 c rw\n";
  EXPECT_EQ(parse_cgroup_mounts(many).size(), kCgroupMountsLimit);
}

TEST(CgroupMounts, AreReadBelowTheRoot) {
  test::FileTree tree(R"(
/proc/self/mountinfo
| 32 31 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
)");
  const auto mounts = read_cgroup_mounts(tree.root());
  ASSERT_TRUE(mounts.has_value()) << mounts.error().message;
  EXPECT_EQ(mounts->at(0).directory, tree / "/sys/fs/cgroup");

  tree.add("/proc/self/mountinfo\n| 23 28 0:21 / /sys rw - sysfs sysfs rw\n");
  const auto none = read_cgroup_mounts(tree.root());
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ExitCode::kUnsupported);
  EXPECT_FALSE(read_cgroup_mounts(tree / "/nowhere").has_value());
}

TEST(GroupDirectory, IsBelowTheMount) {
  const test::FileTree tree("/c/a/b/\n");
  EXPECT_EQ(group_directory(mount_of("/", tree / "/c"), "/"), tree / "/c");
  EXPECT_EQ(group_directory(mount_of("/", tree / "/c"), "/a/b"), tree / "/c/a/b");
  EXPECT_EQ(group_directory(mount_of("/", tree / "/c"), "/a/c"), std::nullopt);
  EXPECT_EQ(group_directory(mount_of("/", tree / "/c"), "/../a"), std::nullopt);
}

TEST(GroupDirectory, OfAMountOfAPart) {
  const test::FileTree tree("/c/sub/sub/\n");
  const CgroupMount mount = mount_of("/docker/0123", tree / "/c");
  EXPECT_EQ(group_directory(mount, "/docker/0123"), tree / "/c");
  EXPECT_EQ(group_directory(mount, "/docker/0123/sub"), tree / "/c/sub");
  EXPECT_EQ(group_directory(mount, "/docker/01234"), std::nullopt);
  EXPECT_EQ(group_directory(mount, "/docker"), std::nullopt);
  EXPECT_EQ(group_directory(mount, "/sub"), std::nullopt);
  EXPECT_EQ(group_directory(mount_of("/../x", tree / "/c"), "/../x/sub"), tree / "/c/sub");
  EXPECT_EQ(group_directory(mount_of("/../x", tree / "/c"), "/sub"), std::nullopt);
}

TEST(GroupDirectory, AncestorsOfANamespaceAreFound) {
  // We are in /kubepods.slice/pod1.slice/us.
  const test::FileTree tree(R"(
/c/kubepods.slice/pod1.slice/us/
/c/kubepods.slice/pod1.slice/pause/
/c/kubepods.slice/pod2.slice/them/
/c/system.slice/x.service/
)");
  const CgroupMount mount = mount_of("/../../..", tree / "/c");
  EXPECT_EQ(group_directory(mount, "/../pause"), tree / "/c/kubepods.slice/pod1.slice/pause");
  EXPECT_EQ(group_directory(mount, "/../../pod2.slice/them"), tree / "/c/kubepods.slice/pod2.slice/them");
  EXPECT_EQ(group_directory(mount, "/../../../system.slice/x.service"), tree / "/c/system.slice/x.service");
  EXPECT_EQ(group_directory(mount, "/../../../.."), std::nullopt);
  EXPECT_EQ(group_directory(mount, "/../gone"), std::nullopt);
  // Our own name is not known here: three groups are as deep.
  EXPECT_EQ(group_directory(mount, "/"), std::nullopt);
}

TEST(GroupDirectory, WhatCouldBeTwoGroupsIsNone) {
  const test::FileTree tree("/c/p/us/\n/c/p/app/\n/c/q/app/\n");
  EXPECT_EQ(group_directory(mount_of("/../..", tree / "/c"), "/../app"), std::nullopt);
}

TEST(GroupDirectory, RefusesOddPaths) {
  const test::FileTree tree("/c/a/\n/secret/\n");
  const CgroupMount mount = mount_of("/", tree / "/c");
  EXPECT_EQ(group_directory(mount, "/a/../../secret"), std::nullopt);
  EXPECT_EQ(group_directory(mount, "a"), std::nullopt);
  EXPECT_EQ(group_directory(mount, ""), std::nullopt);
  EXPECT_EQ(group_directory(mount_of("/a/../..", tree / "/c"), "/"), std::nullopt);
}

TEST(GroupPlace, LooksInTheHierarchyOfTheEntry) {
  const test::FileTree tree("/own/\n/memory/a/\n/cpu/a/\n/unified/a/\n");
  const std::vector<CgroupMount> mounts{
      {.controllers = {"cpu", "cpuacct"}, .root = "/", .directory = tree / "/cpu"},
      {.controllers = {"memory"}, .root = "/", .directory = tree / "/memory"},
      {.controllers = {}, .root = "/../..", .directory = tree / "/unified"},
      {.controllers = {}, .root = "/", .directory = tree / "/own"},
  };
  EXPECT_EQ(group_place(mounts, entry_of("4:memory:/a"))->directory, tree / "/memory/a");
  EXPECT_EQ(group_place(mounts, entry_of("3:cpuacct,cpu:/a"))->directory, tree / "/cpu/a");
  EXPECT_EQ(group_place(mounts, entry_of("0::/../../a"))->directory, tree / "/unified/a");
  EXPECT_FALSE(group_place(mounts, entry_of("5:pids:/a")).has_value());
  // Our own group: the machine's mount does not tell which, ours does.
  const auto own = group_place(mounts, entry_of("0::/"));
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(own->mount, &mounts[3]);
}

}  // namespace
}  // namespace madvtrace
