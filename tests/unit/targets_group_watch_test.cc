// SPDX-License-Identifier: Apache-2.0
// Trees that look like the cgroup file systems of a machine.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "targets/group_watch.h"
#include "tests/support/file_tree.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

constexpr std::string_view kV1 = R"(
/proc/self/mountinfo
| 34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
| 36 31 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
| 37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
/sys/fs/cgroup/memory/cgroup.sane_behavior
| 0
/sys/fs/cgroup/memory/memory.stat
| total_rss 900000000
/sys/fs/cgroup/memory/web/memory.usage_in_bytes
| 41943040
/sys/fs/cgroup/memory/web/memory.limit_in_bytes
| 100663296
/sys/fs/cgroup/memory/web/memory.stat
| total_inactive_file 12582912
| hierarchical_memory_limit 67108864
/sys/fs/cgroup/memory/web/memory.oom_control
| under_oom 0
| oom_kill 3
/sys/fs/cgroup/memory/web/cgroup.procs
| 20
| 21
/sys/fs/cgroup/memory/web/inner/cgroup.procs
| 22
/sys/fs/cgroup/freezer/web/cgroup.procs
/sys/fs/cgroup/freezer/web/inner/cgroup.procs
| 22
/sys/fs/cgroup/unified/web/cgroup.procs
| 20
/sys/fs/cgroup/unified/website/cgroup.procs
| 30
/proc/20/cgroup
| 3:freezer:/
| 4:memory:/web
| 0::/web
/proc/22/cgroup
| 3:freezer:/web/inner
| 4:memory:/web/inner
| 0::/web
/proc/30/cgroup
| 3:freezer:/
| 4:memory:/
| 0::/website
)";

constexpr std::string_view kV2 = R"(
/proc/self/mountinfo
| 31 23 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
/sys/fs/cgroup/memory.stat
| anon 900000000
/sys/fs/cgroup/pod/cgroup.type
| domain
/sys/fs/cgroup/pod/memory.current
| 41943040
/sys/fs/cgroup/pod/memory.max
| 67108864
/sys/fs/cgroup/pod/memory.stat
| anon 20971520
| inactive_file 1048576
/sys/fs/cgroup/pod/memory.events
| low 0
| high 5
| max 7
| oom 2
| oom_kill 3
/sys/fs/cgroup/pod/memory.pressure
| some avg10=1.50 avg60=0.20 avg300=0.00 total=123456
| full avg10=0.00 avg60=0.00 avg300=0.00 total=65432
/sys/fs/cgroup/pod/app/cgroup.type
| domain
/sys/fs/cgroup/pod/app/cgroup.procs
| 20
/sys/fs/cgroup/loose/cgroup.type
| domain
/sys/fs/cgroup/loose/cgroup.procs
| 40
/proc/20/cgroup
| 0::/pod/app
)";

struct Machine {
  explicit Machine(std::string_view text) : tree(text), proc(*ProcRoot::open(tree / "/proc")) {}

  GroupWatch watch(const std::string& name) {
    auto found = find_group(tree.root(), proc, name);
    if (!found) {
      ADD_FAILURE() << found.error().message;
      return {tree.root(), proc, FoundGroup()};
    }
    return {tree.root(), proc, *std::move(found)};
  }

  test::FileTree tree;
  ProcRoot proc;
};

GroupSample sample_of(GroupWatch& watch) {
  const auto sample = watch.sample();
  EXPECT_TRUE(sample);
  return sample.value_or(GroupSample());
}

TEST(GroupWatch, OfV1) {
  Machine machine(kV1);
  GroupWatch watch = machine.watch("/web");
  const GroupSample sample = sample_of(watch);
  EXPECT_EQ(sample.charge.usage_bytes, 40 * kMiB);
  EXPECT_EQ(sample.charge.working_set_bytes, 28 * kMiB);
  EXPECT_EQ(sample.charge.inactive_file_bytes, 12 * kMiB);
  EXPECT_EQ(sample.charge.limit_bytes, 64 * kMiB);
  EXPECT_EQ(sample.counts.oom_kills, 3U);
  EXPECT_EQ(sample.counts.high_events, std::nullopt);
  EXPECT_EQ(sample.counts.max_events, std::nullopt);
  EXPECT_EQ(sample.counts.pressure_some_us, std::nullopt);
  EXPECT_EQ(sample.processes, 3U) << "with those of the groups below it";
  EXPECT_EQ(sample.stamp.pid, 0U);
}

TEST(GroupWatch, OfV2) {
  Machine machine(kV2);
  GroupWatch watch = machine.watch("/pod");
  const GroupSample sample = sample_of(watch);
  EXPECT_EQ(sample.charge.usage_bytes, 40 * kMiB);
  EXPECT_EQ(sample.charge.working_set_bytes, 39 * kMiB);
  EXPECT_EQ(sample.counts.oom_kills, 3U);
  EXPECT_EQ(sample.counts.high_events, 5U);
  EXPECT_EQ(sample.counts.max_events, 7U);
  EXPECT_EQ(sample.counts.pressure_some_us, 123'456U);
  EXPECT_EQ(sample.counts.pressure_full_us, 65'432U);
  EXPECT_EQ(sample.processes, 1U);
}

TEST(GroupWatch, WithoutTheControllerTheNearestAncestorIsCharged) {
  Machine machine(kV2);
  GroupWatch watch = machine.watch("/pod/app");
  EXPECT_EQ(sample_of(watch).charge.usage_bytes, 40 * kMiB);
  EXPECT_EQ(watch.memory_group()->directory, machine.tree / "/sys/fs/cgroup/pod");
  // The root is the machine.
  GroupWatch loose = machine.watch("/loose");
  const GroupSample sample = sample_of(loose);
  EXPECT_EQ(sample.charge.usage_bytes, std::nullopt);
  EXPECT_EQ(sample.charge.inactive_file_bytes, std::nullopt);
  EXPECT_EQ(sample.processes, 1U);
  EXPECT_EQ(loose.memory_group(), nullptr);
}

TEST(GroupWatch, InAnotherHierarchyItIsTheGroupOfItsFirstProcess) {
  Machine machine(kV1);
  GroupWatch unified = machine.watch("/sys/fs/cgroup/unified/web");
  ASSERT_TRUE(unified.group().unified());
  EXPECT_EQ(sample_of(unified).charge.usage_bytes, 40 * kMiB);
  EXPECT_EQ(unified.memory_group()->directory, machine.tree / "/sys/fs/cgroup/memory/web");
  // Its process is in a group below it, whose memory is that of another one; that has no
  // books, which is nothing to know.
  GroupWatch freezer = machine.watch("/sys/fs/cgroup/freezer/web");
  EXPECT_EQ(sample_of(freezer).charge.usage_bytes, std::nullopt);
  EXPECT_EQ(sample_of(freezer).processes, 1U);
  machine.tree.add(
      "/sys/fs/cgroup/memory/web/inner/memory.stat\n| total_rss 1\n"
      "/sys/fs/cgroup/memory/web/inner/memory.usage_in_bytes\n| 4096\n");
  EXPECT_EQ(sample_of(freezer).charge.usage_bytes, 4096U) << "looked for again";
  // The root of the memory controller is the machine.
  GroupWatch website = machine.watch("/sys/fs/cgroup/unified/website");
  EXPECT_EQ(sample_of(website).charge.inactive_file_bytes, std::nullopt);
}

TEST(GroupWatch, WithoutAProcessThereIsNobodyToAskYet) {
  Machine machine(kV1);
  machine.tree.add("/sys/fs/cgroup/unified/web/cgroup.procs\n|\n");
  GroupWatch watch = machine.watch("/sys/fs/cgroup/unified/web");
  EXPECT_EQ(sample_of(watch).charge.usage_bytes, std::nullopt);
  EXPECT_EQ(sample_of(watch).processes, 0U);
  machine.tree.add("/sys/fs/cgroup/unified/web/cgroup.procs\n| 20\n");
  EXPECT_EQ(sample_of(watch).charge.usage_bytes, 40 * kMiB);
}

TEST(GroupWatch, OneThatIsGoneIsNotSampled) {
  for (const auto& [text, name, directory] :
       {std::tuple{kV1, "/web", "/sys/fs/cgroup/memory/web"}, std::tuple{kV2, "/pod", "/sys/fs/cgroup/pod"}}) {
    Machine machine(text);
    GroupWatch watch = machine.watch(name);
    EXPECT_FALSE(watch.gone());
    EXPECT_TRUE(watch.sample());
    machine.tree.remove(directory);
    EXPECT_TRUE(watch.gone());
    EXPECT_FALSE(watch.sample());
  }
}

TEST(GroupWatch, OneThatWasMadeAgainIsAnother) {
  for (const auto& [text, name, directory] :
       {std::tuple{kV1, "/web", "/sys/fs/cgroup/memory/web"}, std::tuple{kV2, "/pod", "/sys/fs/cgroup/pod"}}) {
    Machine machine(text);
    GroupWatch watch = machine.watch(name);
    ASSERT_TRUE(watch.sample());
    machine.tree.remove(directory);
    machine.tree.add(text);
    EXPECT_TRUE(watch.gone());
    EXPECT_FALSE(watch.sample());
    GroupWatch again = machine.watch(name);
    EXPECT_FALSE(again.gone());
    EXPECT_TRUE(again.sample());
    EXPECT_NE(again.group().id, watch.group().id);
  }
}

TEST(GroupWatch, AMemoryGroupThatIsAnotherMayComeAndGo) {
  Machine machine(kV1);
  GroupWatch watch = machine.watch("/sys/fs/cgroup/unified/web");
  ASSERT_EQ(sample_of(watch).charge.usage_bytes, 40 * kMiB);
  machine.tree.remove("/sys/fs/cgroup/memory/web");
  EXPECT_EQ(sample_of(watch).charge.usage_bytes, std::nullopt);
  machine.tree.add(kV1);
  machine.tree.add("/sys/fs/cgroup/memory/web/memory.usage_in_bytes\n| 8192\n");
  EXPECT_EQ(sample_of(watch).charge.usage_bytes, 8192U);
}

TEST(GroupWatch, KnowsWhoIsInIt) {
  Machine machine(kV1);
  const GroupWatch memory = machine.watch("/web");
  EXPECT_TRUE(memory.contains(20));
  EXPECT_TRUE(memory.contains(22)) << "in a group below it";
  EXPECT_FALSE(memory.contains(30));
  EXPECT_FALSE(memory.contains(99)) << "no such process";
  const GroupWatch freezer = machine.watch("/sys/fs/cgroup/freezer/web");
  EXPECT_FALSE(freezer.contains(20));
  EXPECT_TRUE(freezer.contains(22));
  // A name that begins alike is another.
  const GroupWatch unified = machine.watch("/sys/fs/cgroup/unified/web");
  EXPECT_FALSE(unified.contains(30));
}

TEST(GroupWatch, SaysWhatItIs) {
  Machine machine(kV1);
  const GroupWatch watch = machine.watch("/sys/fs/cgroup/freezer/web");
  const GroupInfo info = watch.info("/sys/fs/cgroup/freezer/web", /*go_only=*/true);
  EXPECT_EQ(info.name, "/sys/fs/cgroup/freezer/web");
  EXPECT_EQ(info.path, "/web");
  EXPECT_EQ(info.controllers, std::vector<std::string>{"freezer"});
  EXPECT_EQ(info.id, watch.group().id);
  EXPECT_EQ(info.how, "the directory of that name");
  EXPECT_EQ(info.container_id, "");
  EXPECT_TRUE(info.go_only);
}

TEST(GroupWatch, ACountThatWasCutIsUnknown) {
  Machine machine(kV2);
  std::string groups;
  for (int i = 0; i < 300; ++i) groups += "/sys/fs/cgroup/pod/" + std::to_string(i) + "/\n";
  machine.tree.add(groups);
  GroupWatch watch = machine.watch("/pod");
  EXPECT_EQ(sample_of(watch).processes, std::nullopt);
  EXPECT_EQ(sample_of(watch).charge.usage_bytes, 40 * kMiB);
}

}  // namespace
}  // namespace madvtrace
