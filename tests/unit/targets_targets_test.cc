// SPDX-License-Identifier: Apache-2.0
#include "targets/targets.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/go_image.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

Stamp of(std::uint32_t pid) { return {.mono_ns = 5, .pid = pid, .tid = pid}; }

class TargetsTest : public testing::Test {
 protected:
  using Pids = std::vector<std::uint32_t>;
  // No process of the machine has such pids: nothing but this tree knows them.
  static constexpr std::uint32_t kParent = 4'194'410;
  static constexpr std::uint32_t kChild = 4'194'411;

  TargetsTest() {
    test::write_all(directory_ / "server", GoImage{}.build());
    test::write_all(directory_ / "sh", "#!");
    auto root = ProcRoot::open(directory_.path());
    if (!root) throw std::runtime_error(root.error().message);
    root_.emplace(std::move(*root));
    targets_.emplace(*root_, nullptr, nullptr);
  }

  void add_process(std::uint32_t pid, const std::string& runs = "server", unsigned start = 4711) {
    const std::string folder = directory_ / std::to_string(pid);
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    std::filesystem::create_symlink(directory_ / runs, folder + "/exe");
    test::write_all(folder + "/stat",
                    fmt::format("{} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 {} 0 0\n", pid, start));
  }

  void fork(std::uint32_t child = kChild, bool followed = true) {
    targets_->on_event(Fork{.stamp = of(kParent), .child_pid = child, .followed = followed});
  }
  void exec(std::uint32_t pid) { targets_->on_event(Exec{.stamp = of(pid)}); }
  void exit(std::uint32_t pid) { targets_->on_event(Exit{.stamp = of(pid)}); }
  // The pids of those that changed.
  Pids changed() {
    Pids pids;
    for (const Target* const target : targets_->take_changed()) pids.push_back(target->pid);
    return pids;
  }
  Target& target(std::uint32_t pid) { return targets_->all().at(pid); }

  test::TempDirectory directory_;
  std::optional<ProcRoot> root_;
  std::optional<Targets> targets_;
};

TEST_F(TargetsTest, AreThoseThatTheStreamSays) {
  EXPECT_TRUE(targets_->empty());
  EXPECT_FALSE(targets_->had_any());
  ASSERT_TRUE(targets_->add(kParent));
  fork();
  fork(kChild + 1, /*followed=*/false);
  targets_->on_event(Join{.stamp = of(kChild + 2)});
  EXPECT_EQ(targets_->pids(), (Pids{kParent, kChild, kChild + 2}));
  EXPECT_EQ(changed(), (Pids{kParent, kChild, kChild + 2}));
  exit(kParent);
  targets_->on_event(Leave{.stamp = of(kChild + 2)});
  exit(kChild + 3);
  EXPECT_EQ(targets_->pids(), Pids{kChild});
  EXPECT_EQ(changed(), Pids{});
  exit(kChild);
  EXPECT_TRUE(targets_->empty());
  EXPECT_TRUE(targets_->had_any());
}

TEST_F(TargetsTest, OneWhoseForkWasLostIsMetByItsStackOrItsExec) {
  targets_->on_event(Stack{.stamp = of(kParent), .stack_key = 7, .addresses = {1}});
  exec(kChild);
  EXPECT_EQ(changed(), (Pids{kParent, kChild}));
}

TEST_F(TargetsTest, OneThatChangesTwiceIsLookedAtOnceAsWhatItIsInTheEnd) {
  fork();
  EXPECT_TRUE(target(kChild).forked);
  exec(kChild);
  EXPECT_EQ(changed(), Pids{kChild});
  EXPECT_FALSE(target(kChild).forked);
  exec(kChild);
  exec(kChild);
  EXPECT_EQ(changed(), Pids{kChild});
}

TEST_F(TargetsTest, OneThatEndedWithThePidOfANewOneIsNotLookedAt) {
  fork();
  exit(kChild);
  fork();
  EXPECT_EQ(changed(), Pids{kChild});
  EXPECT_TRUE(target(kChild).forked);
}

TEST_F(TargetsTest, AProgramLastsAsLongAsSomebodyHoldsIt) {
  ASSERT_TRUE(targets_->add(kParent));
  std::shared_ptr<Program> first = targets_->program_of(kParent);
  exec(kParent);
  std::shared_ptr<Program> second = targets_->program_of(kParent);
  EXPECT_NE(first, second);
  EXPECT_EQ(first->state(), Program::State::kReplaced);
  EXPECT_EQ(second->state(), Program::State::kRuns);
  exit(kParent);
  EXPECT_EQ(second->state(), Program::State::kExited);
  EXPECT_EQ(targets_->program_of(kParent), nullptr);
  changed();
  EXPECT_EQ(first.use_count(), 1);
  EXPECT_EQ(second.use_count(), 1);
}

TEST_F(TargetsTest, OneThatLeftTheGroupRunsOn) {
  targets_->on_event(Join{.stamp = of(kParent)});
  const std::shared_ptr<Program> program = targets_->program_of(kParent);
  targets_->on_event(Leave{.stamp = of(kParent)});
  EXPECT_EQ(program->state(), Program::State::kRuns);
}

TEST_F(TargetsTest, ALookTellsWhatItIs) {
  add_process(kParent);
  ASSERT_TRUE(targets_->add(kParent));
  const auto info = targets_->look_at(target(kParent));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->stamp.pid, kParent);
  EXPECT_EQ(info->comm, "x");
  EXPECT_EQ(info->exe, directory_ / "server");
  EXPECT_TRUE(info->go.is_go);
  EXPECT_EQ(info->go.version, "go1.19.8");
  EXPECT_EQ(info->go.books, "none");
  EXPECT_EQ(target(kParent).start_ticks, 4711U);
  fork();
  EXPECT_FALSE(targets_->look_at(target(kChild))) << "there is no such process";
}

TEST_F(TargetsTest, AForkedChildHasNoRuntimeBeforeItsExec) {
  add_process(kChild);
  fork();
  ASSERT_TRUE(targets_->look_at(target(kChild)));
  EXPECT_FALSE(target(kChild).runtime);
  exec(kChild);
  const auto info = targets_->look_at(target(kChild));
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->go.is_go);
  EXPECT_TRUE(target(kChild).runtime);
  exec(kChild);
  EXPECT_FALSE(target(kChild).runtime) << "of the program before";
}

TEST_F(TargetsTest, WhoWasAskedAboutIsNotOpenedAgain) {
  add_process(kParent);
  EXPECT_EQ(targets_->is_go(kParent), true);
  targets_->on_event(Join{.stamp = of(kParent)});
  add_process(kParent, "sh");
  ASSERT_EQ(changed(), Pids{kParent});
  const auto info = targets_->look_at(target(kParent));
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->go.is_go) << "the file was opened a second time";
  EXPECT_EQ(targets_->is_go(kParent), false);
  EXPECT_EQ(targets_->is_go(kChild), std::nullopt);
}

TEST_F(TargetsTest, VanishedIsWhoIsGoneOrAnother) {
  for (const std::uint32_t pid : {kParent, kChild, kChild + 1}) {
    add_process(pid);
    ASSERT_TRUE(targets_->add(pid));
    ASSERT_TRUE(targets_->look_at(target(pid)));
  }
  EXPECT_EQ(targets_->drop_vanished(), Pids{});
  add_process(kParent, "server", /*start=*/4712);
  std::filesystem::remove_all(directory_ / std::to_string(kChild));
  EXPECT_EQ(targets_->drop_vanished(), (Pids{kParent, kChild}));
  EXPECT_EQ(targets_->pids(), Pids{kChild + 1});
}

}  // namespace
}  // namespace madvtrace
