// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "containers/group_memory.h"
#include "tests/support/file_tree.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = 1024U * 1024U;

// A container of 64 MiB in a pod of 96 MiB, as a 6.18 kernel prints it.
constexpr const char* kV1 = R"(
/memory/memory.usage_in_bytes
| 901234688
/memory/memory.stat
| cache 9400320
/memory/pod/app/memory.usage_in_bytes
| 41943040
/memory/pod/app/memory.limit_in_bytes
| 100663296
/memory/pod/app/memory.stat
| cache 1
| rss 2
| inactive_file 3
| active_file 4
| hierarchical_memory_limit 67108864
| hierarchical_memsw_limit 9223372036854771712
| total_cache 5242880
| total_rss 31457280
| total_inactive_file 12582912
| total_active_file 1048576
| total_shmem 2097152
/memory/pod/app/memory.kmem.usage_in_bytes
| 3145728
/memory/pod/app/memory.oom_control
| oom_kill_disable 0
| under_oom 0
| oom_kill 3
)";

constexpr const char* kV2 = R"(
/unified/memory.stat
| anon 900000000
/unified/memory.pressure
| some avg10=0.00 avg60=0.00 avg300=0.00 total=1
/unified/pod/memory.max
| 67108864
/unified/pod/memory.stat
| anon 31457280
/unified/pod/app/memory.current
| 41943040
/unified/pod/app/memory.max
| 100663296
/unified/pod/app/memory.stat
| anon 31457280
| file 5242880
| inactive_anon 0
| active_anon 18874368
| inactive_file 12582912
| active_file 1048576
| shmem 2097152
| kernel 3145728
| workingset_refault_anon 0
/unified/pod/app/memory.events
| low 0
| high 5
| max 7
| oom 2
| oom_kill 3
| oom_group_kill 0
/unified/pod/app/memory.pressure
| some avg10=1.50 avg60=0.20 avg300=0.00 total=123456
| full avg10=0.00 avg60=0.00 avg300=0.00 total=65432
/unified/pod/app/threads/cgroup.procs
)";

GroupMemory read(CgroupVersion version, const std::string& directory) {
  const auto reader = GroupMemoryReader::open({.version = version, .directory = directory});
  if (!reader) {
    ADD_FAILURE() << reader.error().message;
    return {};
  }
  const auto memory = reader->read();
  if (!memory) {
    ADD_FAILURE() << memory.error().message;
    return {};
  }
  return *memory;
}

std::vector<CgroupMount> mounts_of(const test::FileTree& tree, const std::string& text) {
  std::vector<CgroupMount> mounts = parse_cgroup_mounts(text);
  for (CgroupMount& mount : mounts) mount.directory.insert(0, tree.root());
  return mounts;
}

// What half of each huge page of 64 MiB leaves behind on 6.18 when it is released.
TEST(GroupMemory, WhatIsChargedAndNeitherMappedNorCachedIsDeferred) {
  constexpr const char* kStat =
      "total_cache 12288\ntotal_rss 33562624\ntotal_inactive_anon 67108864\ntotal_active_anon 4096\n"
      "total_inactive_file 8192\ntotal_active_file 4096\ntotal_unevictable 0\n";
  const GroupMemory v1 = parse_group_memory(CgroupVersion::kV1, {.stat = kStat});
  EXPECT_EQ(v1.deferred_split_bytes, 33'550'336U);
  // A page in the swap cache is both anonymous memory and page cache.
  const GroupMemory v2 = parse_group_memory(
      CgroupVersion::kV2, {.stat = "anon 8192\nfile 8192\nswapcached 4096\ninactive_anon 8192\nactive_anon 0\n"
                                   "inactive_file 4096\nactive_file 0\nunevictable 0\n"});
  EXPECT_EQ(v2.deferred_split_bytes, 0U);
  // Pages on their way to the lists are not below zero.
  const GroupMemory lag = parse_group_memory(
      CgroupVersion::kV2, {.stat = "anon 8192\nfile 0\ninactive_anon 4096\nactive_anon 0\ninactive_file 0\n"
                                   "active_file 0\nunevictable 0\n"});
  EXPECT_EQ(lag.deferred_split_bytes, 0U);
  EXPECT_FALSE(parse_group_memory(CgroupVersion::kV2, {.stat = "anon 8192\nfile 0\n"}).deferred_split_bytes);
}

TEST(GroupMemory, OfV1) {
  const test::FileTree tree(kV1);
  const GroupMemory memory = read(CgroupVersion::kV1, tree / "/memory/pod/app");
  EXPECT_EQ(memory.usage_bytes, 40 * kMiB);
  EXPECT_EQ(memory.anon_bytes, 30 * kMiB);
  EXPECT_EQ(memory.active_file_bytes, kMiB);
  EXPECT_EQ(memory.inactive_file_bytes, 12 * kMiB);
  EXPECT_EQ(memory.shmem_bytes, 2 * kMiB);
  EXPECT_EQ(memory.kernel_bytes, 3 * kMiB);
  EXPECT_EQ(memory.working_set_bytes, 28 * kMiB);
  EXPECT_EQ(memory.own_limit_bytes, 96 * kMiB);
  EXPECT_EQ(memory.limit_bytes, 64 * kMiB);
  EXPECT_EQ(memory.oom_kills, 3U);
  EXPECT_EQ(memory.high_events, std::nullopt);
  EXPECT_EQ(memory.max_events, std::nullopt);
  EXPECT_EQ(memory.pressure_some_us, std::nullopt);
}

TEST(GroupMemory, OfV2) {
  const test::FileTree tree(kV2);
  const GroupMemory memory = read(CgroupVersion::kV2, tree / "/unified/pod/app");
  EXPECT_EQ(memory.usage_bytes, 40 * kMiB);
  EXPECT_EQ(memory.anon_bytes, 30 * kMiB);
  EXPECT_EQ(memory.active_file_bytes, kMiB);
  EXPECT_EQ(memory.inactive_file_bytes, 12 * kMiB);
  EXPECT_EQ(memory.shmem_bytes, 2 * kMiB);
  EXPECT_EQ(memory.kernel_bytes, 3 * kMiB);
  EXPECT_EQ(memory.working_set_bytes, 28 * kMiB);
  EXPECT_EQ(memory.own_limit_bytes, 96 * kMiB);
  EXPECT_EQ(memory.limit_bytes, 64 * kMiB);
  EXPECT_EQ(memory.oom_kills, 3U);
  EXPECT_EQ(memory.high_events, 5U);
  EXPECT_EQ(memory.max_events, 7U);
  EXPECT_EQ(memory.pressure_some_us, 123456U);
  EXPECT_EQ(memory.pressure_full_us, 65432U);
}

TEST(GroupMemory, NoLimitIsEmpty) {
  GroupMemory v1 = parse_group_memory(CgroupVersion::kV1, {.stat = "hierarchical_memory_limit 9223372036854771712\n",
                                                           .limit = "9223372036854771712\n"});
  EXPECT_EQ(v1.own_limit_bytes, std::nullopt);
  EXPECT_EQ(v1.limit_bytes, std::nullopt);
  v1 = parse_group_memory(CgroupVersion::kV1, {.stat = "hierarchical_memory_limit 9223372036854767616\n"});
  EXPECT_EQ(v1.limit_bytes, 9223372036854767616U);

  GroupMemory v2 = parse_group_memory(CgroupVersion::kV2, {.limit = "max\n", .ancestor_limits = {"max\n", "max\n"}});
  EXPECT_EQ(v2.own_limit_bytes, std::nullopt);
  EXPECT_EQ(v2.limit_bytes, std::nullopt);
  v2 = parse_group_memory(CgroupVersion::kV2, {.limit = "max\n", .ancestor_limits = {"200\n", "max\n", "100\n"}});
  EXPECT_EQ(v2.own_limit_bytes, std::nullopt);
  EXPECT_EQ(v2.limit_bytes, 100U);
  // 0 is a limit.
  v2 = parse_group_memory(CgroupVersion::kV2, {.limit = "0\n", .ancestor_limits = {"200\n"}});
  EXPECT_EQ(v2.limit_bytes, 0U);
}

TEST(GroupMemory, WorkingSetIsNotBelowZero) {
  const GroupMemory memory =
      parse_group_memory(CgroupVersion::kV2, {.usage = "4096\n", .stat = "inactive_file 8192\n"});
  EXPECT_EQ(memory.working_set_bytes, 0U);
}

TEST(GroupMemory, UnknownIsEmpty) {
  for (const CgroupVersion version : {CgroupVersion::kV1, CgroupVersion::kV2}) {
    const GroupMemory memory = parse_group_memory(
        version, {.usage = "-1\n",
                  .stat = "total_rss \nanon\nactive_file 18446744073709551616\ntotal_inactive_file x\n\n \n",
                  .limit = "",
                  .events = "oom_kill\n",
                  .pressure = "some total=\nfull"});
    EXPECT_EQ(memory.usage_bytes, std::nullopt);
    EXPECT_EQ(memory.anon_bytes, std::nullopt);
    EXPECT_EQ(memory.active_file_bytes, std::nullopt);
    EXPECT_EQ(memory.inactive_file_bytes, std::nullopt);
    EXPECT_EQ(memory.shmem_bytes, std::nullopt);
    EXPECT_EQ(memory.kernel_bytes, std::nullopt);
    EXPECT_EQ(memory.working_set_bytes, std::nullopt);
    EXPECT_EQ(memory.own_limit_bytes, std::nullopt);
    EXPECT_EQ(memory.limit_bytes, std::nullopt);
    EXPECT_EQ(memory.oom_kills, std::nullopt);
    EXPECT_EQ(memory.pressure_some_us, std::nullopt);
    EXPECT_EQ(memory.pressure_full_us, std::nullopt);
  }
}

TEST(GroupMemory, OfTheRootOfV2) {
  const test::FileTree tree(kV2);
  const GroupMemory memory = read(CgroupVersion::kV2, tree / "/unified");
  EXPECT_EQ(memory.usage_bytes, std::nullopt);
  EXPECT_EQ(memory.anon_bytes, 900000000U);
  EXPECT_EQ(memory.working_set_bytes, std::nullopt);
}

TEST(GroupMemoryReader, AGroupThatIsGoneIsToldApart) {
  test::FileTree tree(kV1);
  const MemoryGroup group{.version = CgroupVersion::kV1, .directory = tree / "/memory/pod/app"};
  const auto reader = GroupMemoryReader::open(group);
  ASSERT_TRUE(reader.has_value());
  ASSERT_TRUE(reader->read().has_value());
  tree.remove("/memory/pod");
  // Another of the same name is another group.
  tree.add(kV1);
  const auto memory = reader->read();
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error().failure, Failure::kGone);

  tree.remove("/memory/pod");
  const auto opened = GroupMemoryReader::open(group);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().failure, Failure::kGone);
  const auto not_a_directory = GroupMemoryReader::open({.directory = tree / "/memory/memory.stat"});
  ASSERT_FALSE(not_a_directory.has_value());
  EXPECT_NE(not_a_directory.error().failure, Failure::kGone);
}

TEST(GroupMemoryReader, AnInfiniteFileIsCut) {
  test::FileTree tree(kV1);
  test::write_all(tree / "/memory/pod/app/memory.usage_in_bytes", std::string(10'000'000, '1'));
  EXPECT_EQ(read(CgroupVersion::kV1, tree / "/memory/pod/app").usage_bytes, std::nullopt);
}

TEST(FindMemoryGroup, V1BesideAnUnifiedHierarchy) {
  const test::FileTree tree(std::string(kV1) + kV2);
  const auto mounts = mounts_of(tree,
                                "1 0 0:1 / /unified rw - cgroup2 cgroup2 rw\n"
                                "2 0 0:2 / /memory rw - cgroup cgroup rw,memory\n");
  const auto group = find_memory_group(mounts, parse_cgroup("4:memory:/pod/app\n0::/pod\n"));
  EXPECT_EQ(group, (MemoryGroup{.version = CgroupVersion::kV1, .directory = tree / "/memory/pod/app"}));
}

TEST(FindMemoryGroup, V1ThatIsNotMountedHereHasNoStandIn) {
  const test::FileTree tree(kV2);
  const auto mounts = mounts_of(tree, "1 0 0:1 / /unified rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(find_memory_group(mounts, parse_cgroup("4:memory:/pod/app\n0::/pod\n")), std::nullopt);
}

TEST(FindMemoryGroup, V2GoesUpToTheNearestWithTheController) {
  const test::FileTree tree(kV2);
  const auto mounts = mounts_of(tree, "1 0 0:1 / /unified rw - cgroup2 cgroup2 rw\n");
  const auto at = [&](const std::string& path) {
    const auto group = find_memory_group(mounts, parse_cgroup("0::" + path + "\n"));
    return group ? group->directory.substr(tree.root().size()) : "none";
  };
  EXPECT_EQ(at("/pod/app"), "/unified/pod/app");
  EXPECT_EQ(at("/pod/app/threads"), "/unified/pod/app");
  EXPECT_EQ(at("/"), "/unified");
  EXPECT_EQ(at("/gone"), "none");
}

TEST(FindMemoryGroup, HybridWithoutAnyController) {
  test::FileTree tree("/memory.stat\n| anon 1\n/unified/app/cgroup.procs\n");
  const auto mounts = mounts_of(tree, "1 0 0:1 / /unified rw - cgroup2 cgroup2 rw\n");
  // What lies above the mount is not of the hierarchy.
  EXPECT_EQ(find_memory_group(mounts, parse_cgroup("0::/app\n")), std::nullopt);
  EXPECT_EQ(find_memory_group(mounts, {}), std::nullopt);
}

}  // namespace
}  // namespace madvtrace
