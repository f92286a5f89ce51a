// SPDX-License-Identifier: Apache-2.0
// --cgroup: the kernel side decides who is in a group, in the hierarchy in which it was
// named. Each test runs in a v1 hierarchy (memory) and in the unified one.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bpf/records.h"
#include "containers/hierarchies.h"
#include "kernel/bpf_session.h"
#include "tests/live/live_test.h"
#include "tests/support/control_group.h"

namespace madvtrace {
namespace {

using nlohmann::json;

constexpr std::int64_t kPieceBytes = 64 << 10;  // of lazy's steps f and d

// Where a hierarchy is mounted; empty if this machine has none such.
std::string hierarchy(const std::string& name) {
  const Result<std::vector<CgroupMount>> mounts = read_cgroup_mounts("");
  if (!mounts) return "";
  for (const CgroupMount& mount : *mounts) {
    if (name == "unified" ? mount.unified() : mount.has_controller(name)) return mount.directory;
  }
  return "";
}

class GroupsTest : public LiveTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    root_ = hierarchy(GetParam());
    ASSERT_FALSE(root_.empty()) << "no hierarchy " << GetParam();
  }

  // tests/targets/c/lazy.c, with its memory touched, wherever the test itself is.
  std::unique_ptr<TracedProgram> start_lazy(std::vector<std::string> arguments = {"--mib", "4"}) {
    auto lazy = start_program("lazy", arguments);
    if (!lazy) return nullptr;
    const Result<json> allocated = lazy->work();
    EXPECT_HAS_VALUE(allocated);
    if (!allocated) return nullptr;
    mapped_ = allocated->at("mapped_bytes");
    return lazy;
  }

  static json step(TracedProgram& lazy, char name) {
    EXPECT_HAS_VALUE(lazy.process().write_input(std::string(1, name)));
    Result<json> answer = lazy.read_json();
    EXPECT_HAS_VALUE(answer);
    return answer ? *answer : json();
  }

  std::unique_ptr<MadvtraceRun> trace_group(const ControlGroup& group, std::vector<std::string> more = {"--all"}) {
    more.insert(more.end(), {"--cgroup", group.directory()});
    return start_trace(std::move(more));
  }

  static std::set<std::string> pids_in(const CsvTable& table) {
    std::set<std::string> pids;
    for (std::size_t row = 0; row < table.size(); ++row) {
      if (!table.at(row, "pid").empty()) pids.insert(table.at(row, "pid"));
    }
    return pids;
  }

  // Bytes of this fate that the process's releases had.
  std::int64_t bytes_of(pid_t pid, const std::string& fate) const {
    const Result<CsvTable> releases = CsvTable::read(file("releases.csv"));
    EXPECT_HAS_VALUE(releases);
    if (!releases) return -1;
    std::int64_t sum = 0;
    for (const std::size_t row : releases->rows_where("pid", std::to_string(pid))) {
      if (releases->at(row, "fate") == fate) sum += releases->number(row, "bytes").value_or(0);
    }
    return sum;
  }

  std::string root_;
  std::int64_t mapped_ = 0;
};

// What it does before, inside and after: only what it did inside is there, and what was
// then still lazily freed is pending as of its leaving, whatever becomes of it later.
TEST_P(GroupsTest, AProcessIsFollowedWhileItIsInTheGroup) {
  const auto group = ControlGroup::make(root_, "madvtrace-moves");
  ASSERT_HAS_VALUE(group);
  const auto lazy = start_lazy();
  ASSERT_TRUE(lazy);
  const auto trace = trace_group(*group);
  ASSERT_TRUE(trace);
  ASSERT_TRUE(step(*lazy, 'F').is_object());
  ASSERT_TRUE(step(*lazy, 'd').is_object());
  ASSERT_TRUE(step(*lazy, 'w').is_object());
  ASSERT_HAS_VALUE(group->add(lazy->pid()));
  const json freed = step(*lazy, 'f');
  ASSERT_HAS_VALUE(move_to_group(lazy->pid(), root_));
  ASSERT_TRUE(step(*lazy, 'd').is_object());
  end_cleanly(*trace);

  const CsvTable table = events();
  const auto rows = table.rows_where("pid", lazy->pid_text());
  ASSERT_GE(rows.size(), 2U);
  EXPECT_EQ(table.at(rows.front(), "call"), "group_join");
  EXPECT_EQ(table.at(rows.back(), "call"), "group_leave");
  const auto calls = rows_of(table, lazy->pid(), "madvise");
  EXPECT_EQ(calls.size(), static_cast<std::size_t>(mapped_ / kPieceBytes));
  for (const std::size_t row : calls) EXPECT_EQ(table.at(row, "advice"), "MADV_FREE") << table.text(row);
  EXPECT_EQ(bytes_of(lazy->pid(), "pending") + bytes_of(lazy->pid(), "reclaimed"), mapped_ / 2) << freed;
  EXPECT_GT(bytes_of(lazy->pid(), "pending"), 0);
  EXPECT_HAS_VALUE(lazy->finish());
}

TEST_P(GroupsTest, GroupsBelowBelongToItAndOthersDoNot) {
  auto outer = ControlGroup::make(root_, "madvtrace-outer");
  auto other = ControlGroup::make(root_, "madvtrace-other");
  ASSERT_TRUE(outer && other);
  auto inner = ControlGroup::make(outer->directory(), "inner");
  ASSERT_HAS_VALUE(inner);
  std::vector<std::unique_ptr<TracedProgram>> programs;
  for (const ControlGroup* group : {&*outer, &*inner, &*other}) {
    programs.push_back(start_lazy());
    ASSERT_TRUE(programs.back());
    ASSERT_HAS_VALUE(group->add(programs.back()->pid()));
  }
  const auto trace = trace_group(*outer);
  ASSERT_TRUE(trace);
  for (const auto& program : programs) ASSERT_TRUE(step(*program, 'd').is_object());
  end_cleanly(*trace);
  EXPECT_EQ(pids_in(events()), (std::set<std::string>{programs[0]->pid_text(), programs[1]->pid_text()}));
  for (const auto& program : programs) EXPECT_HAS_VALUE(program->finish());
}

// Processes that live for a few milliseconds: each call of each is there, by their own
// count, from the parent's fork on.
TEST_P(GroupsTest, NothingOfAForkStormIsMissed) {
  constexpr std::size_t kChildren = 500;
  const auto group = ControlGroup::make(root_, "madvtrace-storm");
  ASSERT_HAS_VALUE(group);
  const auto storm = start_program("storm", {"-children", std::to_string(kChildren)});
  ASSERT_TRUE(storm);
  ASSERT_HAS_VALUE(group->add(storm->pid()));
  const auto trace = trace_group(*group, {});
  ASSERT_TRUE(trace);
  const Result<json> told = storm->work();
  ASSERT_HAS_VALUE(told);
  EXPECT_HAS_VALUE(storm->finish());
  end_cleanly(*trace);

  const CsvTable table = events();
  std::map<std::string, std::vector<std::size_t>> by_pid;
  for (std::size_t row = 0; row < table.size(); ++row) by_pid[table.at(row, "pid")].push_back(row);
  ASSERT_EQ(told->at("children").size(), kChildren);
  std::int64_t calls = 0;
  for (const json& child : told->at("children")) {
    std::int64_t madvises = 0;
    std::int64_t munmaps = 0;
    std::int64_t released = 0;
    const std::int64_t begin = child.at("addr");
    const std::int64_t end = begin + child.at("bytes").get<std::int64_t>();
    for (const std::size_t row : by_pid[std::to_string(child.at("pid").get<int>())]) {
      const std::int64_t addr = table.number(row, "addr").value_or(0);
      if (addr < begin || addr >= end) continue;
      if (table.at(row, "call") == "munmap") ++munmaps;
      if (table.at(row, "advice") != "MADV_DONTNEED") continue;
      ++madvises;
      released += table.number(row, "resident_bytes").value_or(0);
    }
    calls += madvises + munmaps;
    EXPECT_EQ(madvises, child.at("madvise")) << child;
    EXPECT_EQ(munmaps, child.at("munmap")) << child;
    EXPECT_EQ(released, child.at("released_bytes")) << child;
  }
  EXPECT_TRUE(summary().at("lost").empty()) << summary().at("lost");
  EXPECT_EQ(summary().at("group").at("processes_followed"), kChildren + 1);
  std::cout << "[  NUMBERS ] " << kChildren << " processes, " << calls << " calls of their own\n";
}

TEST_P(GroupsTest, TheTraceEndsWhenTheGroupIsRemoved) {
  auto group = ControlGroup::make(root_, "madvtrace-gone");
  ASSERT_HAS_VALUE(group);
  const auto lazy = start_lazy();
  ASSERT_TRUE(lazy);
  ASSERT_HAS_VALUE(group->add(lazy->pid()));
  const auto trace = trace_group(*group, {"--all", "-i", "100ms"});
  ASSERT_TRUE(trace);
  ASSERT_TRUE(step(*lazy, 'd').is_object());
  EXPECT_HAS_VALUE(lazy->finish());
  ASSERT_HAS_VALUE(group->remove());
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace->errors();
  EXPECT_EQ(rows_of(events(), lazy->pid(), "exit").size(), 1U);
}

TEST_P(GroupsTest, AGroupThatIsMadeLaterCanBeWaitedFor) {
  const std::string name = "madvtrace-later";
  // Not quiet: it has to say when it has found the group.
  const auto started = MadvtraceRun::start(
      {"--all", "--wait", "--cgroup", "/" + name + "-" + std::to_string(::getpid()), "-o", output()});
  ASSERT_HAS_VALUE(started);
  const auto& trace = *started;
  const auto lazy = start_lazy();
  ASSERT_TRUE(lazy);
  auto group = ControlGroup::make(root_, name);
  ASSERT_HAS_VALUE(group);
  const auto begun = std::chrono::steady_clock::now();
  while (trace->errors().find(group->directory()) == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now() - begun, kDeadline) << trace->errors();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_HAS_VALUE(group->add(lazy->pid()));
  ASSERT_TRUE(step(*lazy, 'd').is_object());
  EXPECT_HAS_VALUE(lazy->finish());
  end_cleanly(*trace);
  EXPECT_EQ(rows_of(events(), lazy->pid(), "madvise").size(), static_cast<std::size_t>(mapped_ / kPieceBytes));
}

TEST_P(GroupsTest, WithoutAllOnlyGoProgramsAreFollowed) {
  const auto group = ControlGroup::make(root_, "madvtrace-go");
  ASSERT_HAS_VALUE(group);
  const auto lazy = start_lazy();
  const auto storm = start_program("storm", {"-children", "1"});
  ASSERT_TRUE(lazy && storm);
  ASSERT_HAS_VALUE(group->add(lazy->pid()));
  ASSERT_HAS_VALUE(group->add(storm->pid()));
  const auto trace = trace_group(*group, {});
  ASSERT_TRUE(trace);
  ASSERT_TRUE(step(*lazy, 'd').is_object());
  const Result<json> told = storm->work();
  ASSERT_HAS_VALUE(told);
  EXPECT_HAS_VALUE(storm->finish());
  EXPECT_HAS_VALUE(lazy->finish());
  end_cleanly(*trace);
  const std::string child = std::to_string(told->at("children").at(0).at("pid").get<int>());
  EXPECT_EQ(pids_in(events()), (std::set<std::string>{storm->pid_text(), child}));
  EXPECT_EQ(summary().at("group").at("left_out"), 1);
}

// Of a group's processes only Go's, and one that is not in it and not Go's, by its pid.
TEST_P(GroupsTest, AGroupAndAPidAddUp) {
  const auto group = ControlGroup::make(root_, "madvtrace-sum");
  ASSERT_HAS_VALUE(group);
  const auto outside = start_lazy();
  const auto inside = start_lazy();
  const auto storm = start_program("storm", {"-children", "1"});
  ASSERT_TRUE(outside && inside && storm);
  ASSERT_HAS_VALUE(group->add(inside->pid()));
  ASSERT_HAS_VALUE(group->add(storm->pid()));
  const auto trace = trace_group(*group, {"-p", outside->pid_text()});
  ASSERT_TRUE(trace);
  ASSERT_TRUE(step(*outside, 'd').is_object());
  ASSERT_TRUE(step(*inside, 'd').is_object());
  const Result<json> told = storm->work();
  ASSERT_HAS_VALUE(told);
  for (const auto* program : {&outside, &inside, &storm}) EXPECT_HAS_VALUE((*program)->finish());
  end_cleanly(*trace);
  const std::string child = std::to_string(told->at("children").at(0).at("pid").get<int>());
  EXPECT_EQ(pids_in(events()), (std::set<std::string>{outside->pid_text(), storm->pid_text(), child}));
  EXPECT_EQ(rows_of(events(), outside->pid(), "madvise").size(), static_cast<std::size_t>(mapped_ / kPieceBytes));
}

INSTANTIATE_TEST_SUITE_P(In, GroupsTest, testing::Values("memory", "unified"),
                         [](const auto& parameter) { return std::string(parameter.param); });

// What only the v1 hierarchy of the memory controller has on this machine.
class MemoryGroupsTest : public GroupsTest {};

// A process is where its first thread is, and so is what it is charged for: threads that
// were sent elsewhere alone are traced as before.
TEST_P(MemoryGroupsTest, AProcessIsWhereItsFirstThreadIs) {
  const auto group = ControlGroup::make(root_, "madvtrace-threads");
  ASSERT_HAS_VALUE(group);
  const auto lazy = start_lazy({"--mib", "4", "--threads", "2", "--seconds", "2", "--ops-per-second", "500"});
  ASSERT_TRUE(lazy);
  ASSERT_HAS_VALUE(group->add(lazy->pid()));
  const auto trace = trace_group(*group);
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(lazy->process().write_input("t"));
  const std::string tasks = "/proc/" + lazy->pid_text() + "/task";
  std::set<std::string> moved;
  const auto begun = std::chrono::steady_clock::now();
  while (moved.size() < 2) {
    ASSERT_LT(std::chrono::steady_clock::now() - begun, kDeadline);
    for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
      const std::string tid = entry.path().filename();
      if (tid == lazy->pid_text() || moved.contains(tid)) continue;
      std::ofstream file(root_ + "/tasks");
      file << tid << std::flush;
      ASSERT_TRUE(file.good());
      moved.insert(tid);
    }
  }
  const Result<json> told = lazy->read_json();
  ASSERT_HAS_VALUE(told);
  end_cleanly(*trace);
  std::int64_t released = 0;
  const Result<CsvTable> releases = CsvTable::read(file("releases.csv"));
  ASSERT_HAS_VALUE(releases);
  std::map<std::string, std::int64_t> by_id;
  for (const std::size_t row : releases->rows_where("advice", "MADV_FREE")) {
    by_id[releases->at(row, "release_id")] = releases->number(row, "resident_bytes").value_or(0);
  }
  for (const auto& [id, bytes] : by_id) released += bytes;
  EXPECT_GT(released, 0);
  EXPECT_EQ(released, told->at("released_bytes"));
  EXPECT_HAS_VALUE(lazy->finish());
}

// The limit's kill is on the timeline, and the group has samples of its own.
TEST_P(MemoryGroupsTest, AKillForWantOfMemoryIsOnTheTimeline) {
  const auto group = ControlGroup::make(root_, "madvtrace-kill");
  ASSERT_HAS_VALUE(group);
  constexpr std::int64_t kLimitBytes = 32 << 20;
  ASSERT_HAS_VALUE(group->write("memory.limit_in_bytes", std::to_string(kLimitBytes)));
  const auto lazy = start_program("lazy", {"--mib", "64"});
  ASSERT_TRUE(lazy);
  ASSERT_HAS_VALUE(group->add(lazy->pid()));
  const auto trace = trace_group(*group, {"--all", "-i", "50ms"});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(lazy->go());
  const Result<int> code = lazy->process().wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 128 + SIGKILL);
  end_cleanly(*trace);
  const auto kills = events().rows_where("call", "oom_kill");
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(events().number(kills[0], "ret"), 1);
  EXPECT_EQ(events().at(kills[0], "pid"), "");
  EXPECT_EQ(events().number(kills[0], "cgroup_id"), static_cast<std::int64_t>(group->id()));
  EXPECT_EQ(summary().at("group").at("oom_kills"), 1);
  const Result<CsvTable> samples = CsvTable::read(file("samples.csv"));
  ASSERT_HAS_VALUE(samples);
  const auto rows = samples->rows_where("pid", "");
  ASSERT_FALSE(rows.empty());
  for (const std::size_t row : rows) EXPECT_EQ(samples->number(row, "cgroup_limit_bytes"), kLimitBytes);
}

INSTANTIATE_TEST_SUITE_P(In, MemoryGroupsTest, testing::Values("memory"),
                         [](const auto& parameter) { return std::string(parameter.param); });

// A process that is left out costs nothing more, until it runs another program.
TEST_F(LiveTest, TheKernelSideLeavesAProcessOut) {
  class Calls : public RecordSink {
   public:
    void on_record(RecordBytes record) override {
      wire_header header{};
      ASSERT_GE(record.size(), sizeof(header));
      std::memcpy(&header, record.data(), sizeof(header));
      if (header.kind == WIRE_CALL || header.kind == WIRE_RELEASE_BEGIN) ++count;
    }
    std::size_t count = 0;
  };
  const auto lazy = start_program("lazy", {"--mib", "4"});
  ASSERT_TRUE(lazy);
  const auto pid = static_cast<std::uint32_t>(lazy->pid());
  const auto session = BpfSession::load({.gc_marks = false, .group = true});
  ASSERT_HAS_VALUE(session);
  ASSERT_HAS_VALUE((*session)->attach_all());
  ASSERT_HAS_VALUE((*session)->add_target(pid, /*follow=*/false));
  ASSERT_EQ((*session)->programs_run(pid), 0U);
  Calls calls;
  ASSERT_HAS_VALUE(lazy->work());
  ASSERT_HAS_VALUE((*session)->ring().drain_all(calls));
  EXPECT_GT(calls.count, 0U);
  EXPECT_FALSE((*session)->leave_out(pid, 1)) << "it runs another program by now";
  EXPECT_TRUE((*session)->leave_out(pid, 0));
  calls.count = 0;
  ASSERT_HAS_VALUE(lazy->process().write_input("d"));
  ASSERT_HAS_VALUE(lazy->read_json());
  ASSERT_HAS_VALUE((*session)->ring().drain_all(calls));
  EXPECT_EQ(calls.count, 0U);
  EXPECT_HAS_VALUE(lazy->finish());
}

// The same processes, in different groups of the two hierarchies.
TEST_F(LiveTest, AGroupIsMeantInTheHierarchyInWhichItIsNamed) {
  const std::string version1 = hierarchy("memory");
  const std::string unified = hierarchy("unified");
  ASSERT_FALSE(version1.empty() || unified.empty());
  const auto one = ControlGroup::make(version1, "madvtrace-named");
  const auto two = ControlGroup::make(unified, "madvtrace-named");
  ASSERT_TRUE(one && two);
  const auto in_one = start_program("lazy", {"--mib", "4"});
  const auto in_two = start_program("lazy", {"--mib", "4"});
  ASSERT_TRUE(in_one && in_two);
  ASSERT_HAS_VALUE(one->add(in_one->pid()));
  ASSERT_HAS_VALUE(two->add(in_two->pid()));
  const auto trace = start_trace({"--all", "--cgroup", two->directory()});
  ASSERT_TRUE(trace);
  for (const auto* program : {&in_one, &in_two}) {
    ASSERT_HAS_VALUE((*program)->work());
    EXPECT_HAS_VALUE((*program)->finish());
  }
  end_cleanly(*trace);
  EXPECT_GT(rows_of(events(), in_two->pid(), "mmap").size(), 0U);
  EXPECT_TRUE(events().rows_where("pid", in_one->pid_text()).empty());
}

}  // namespace
}  // namespace madvtrace
