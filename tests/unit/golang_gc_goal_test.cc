// SPDX-License-Identifier: Apache-2.0
// Numbers worked out by hand from heapGoalInternal() and memoryLimitHeapGoal().
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "golang/gc_goal.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// A heap of 100 MiB, of which 40 were marked, with 10 MiB free and 5 MiB of other memory.
constexpr GcGoalInput kProgram{.gc_percent_goal = 80 * kMiB,
                               .sweep_min_trigger = 50 * kMiB,
                               .heap_marked = 40 * kMiB,
                               .heap_free = 10 * kMiB,
                               .heap_alloc = 100 * kMiB,
                               .mapped_ready = 115 * kMiB,
                               .headroom_percent = true};

TEST(GcGoal, IsThatOfGogcWithoutALimit) { EXPECT_EQ(gc_goal(kProgram), 80 * kMiB); }

TEST(GcGoal, LeavesRoomForSweeping) {
  GcGoalInput input = kProgram;
  input.sweep_min_trigger = 90 * kMiB;
  EXPECT_EQ(gc_goal(input), 90 * kMiB);
}

TEST(GcGoal, IsAheadOfARunningCycle) {
  GcGoalInput input = kProgram;
  input.triggered = 80 * kMiB;
  EXPECT_EQ(gc_goal(input), 80 * kMiB + 64 * 1024);
}

TEST(GcGoal, LeavesHeadroomBelowALimit) {
  GcGoalInput input = kProgram;
  input.gc_percent_goal = UINT64_MAX;  // GOGC=off
  input.memory_limit = 200 * kMiB;
  // 5 MiB are not heap: 195 MiB, and of them 3%.
  EXPECT_EQ(gc_goal(input), 195 * kMiB - 195 * kMiB / 100 * 3);
  input.headroom_percent = false;
  EXPECT_EQ(gc_goal(input), 194 * kMiB);
  // The smaller of the two goals.
  input.gc_percent_goal = 80 * kMiB;
  EXPECT_EQ(gc_goal(input), 80 * kMiB);
}

TEST(GcGoal, MakesUpForWhatIsOverTheLimit) {
  GcGoalInput input = kProgram;
  input.memory_limit = 105 * kMiB;  // 10 MiB over
  input.gc_percent_goal = 100 * kMiB;
  input.headroom_percent = false;
  EXPECT_EQ(gc_goal(input), (105 - 5 - 10 - 1) * kMiB);
}

TEST(GcGoal, IsNotBelowWhatIsAlive) {
  GcGoalInput input = kProgram;
  input.memory_limit = 70 * kMiB;  // 45 MiB over: 20 MiB would be left
  EXPECT_EQ(gc_goal(input), 40 * kMiB);
  input.memory_limit = 40 * kMiB;  // nothing would
  EXPECT_EQ(gc_goal(input), 40 * kMiB);
  input.memory_limit = 0;
  EXPECT_EQ(gc_goal(input), 40 * kMiB);
}

TEST(GcGoal, OfATinyLimitIsTheHeadroom) {
  const GcGoalInput input{.gc_percent_goal = 80 * kMiB, .memory_limit = 3 * kMiB / 2, .headroom_percent = true};
  EXPECT_EQ(gc_goal(input), kMiB);
}

TEST(GcGoal, IsUnknownIfTheWordsContradict) {
  GcGoalInput input = kProgram;
  input.mapped_ready = 109 * kMiB;
  EXPECT_EQ(gc_goal(input), std::nullopt);
  input.heap_alloc = UINT64_MAX;
  EXPECT_EQ(gc_goal(input), std::nullopt);
}

}  // namespace
}  // namespace madvtrace
