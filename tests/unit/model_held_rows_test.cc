// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "model/held_rows.h"

namespace madvtrace {
namespace {

// Rows as they go out: "c" and the tid of calls, "r" and the id of releases, their cause.
class Log : public HeldRows::Sink {
 public:
  void give_out(const CallRow& row, std::size_t process) override {
    add("c" + std::to_string(row.tid), row.cause);
    processes.push_back(process);
  }
  void give_out(const ReleaseRow& row) override { add("r" + std::to_string(row.release_id), row.cause); }

  std::vector<std::string> rows;
  std::vector<std::size_t> processes;

 private:
  void add(std::string text, std::optional<Cause> cause) {
    if (cause) text += " " + std::string(kCauseNames[*cause]);
    rows.push_back(std::move(text));
  }
};

using Rows = std::vector<std::string>;

struct Held {
  Log log;
  HeldRows rows{log};

  void call(std::uint32_t tid, KnownStack* stack, bool near_limit = false) {
    CallRow row;
    row.tid = tid;
    rows.add(row, {.stack = stack, .near_memory_limit = near_limit}, tid + 1000);
  }
  void release(std::uint64_t id, KnownStack* stack) {
    ReleaseRow row;
    row.release_id = id;
    rows.add(row, {.stack = stack});
  }
};

void settle(KnownStack& stack, std::optional<Cause> cause) {
  stack.settled = true;
  stack.cause = cause;
}

TEST(HeldRows, WithoutAStackRowsPass) {
  Held h;
  h.call(1, nullptr);
  h.release(1, nullptr);
  EXPECT_EQ(h.log.rows, (Rows{"c1", "r1"}));
  EXPECT_EQ(h.log.processes, (std::vector<std::size_t>{1001}));
}

TEST(HeldRows, AKnownCauseIsFilledInAtOnce) {
  Held h;
  KnownStack stack;
  settle(stack, Cause::kApp);
  h.call(1, &stack);
  h.release(1, &stack);
  EXPECT_EQ(h.log.rows, (Rows{"c1 app", "r1 app"}));
}

TEST(HeldRows, LaterRowsWaitBehindAnEarlierOne) {
  Held h;
  KnownStack slow;
  KnownStack quick;
  settle(quick, Cause::kApp);
  h.call(1, &quick);
  h.call(2, &slow);
  h.call(3, &quick);
  h.release(4, &quick);
  h.call(5, nullptr);
  EXPECT_EQ(h.log.rows, (Rows{"c1 app"}));
  settle(slow, Cause::kBackground);
  h.rows.give_out_settled();
  EXPECT_EQ(h.log.rows, (Rows{"c1 app", "c2 background", "c3 app", "r4 app", "c5"}));
  EXPECT_EQ(h.log.processes, (std::vector<std::size_t>{1001, 1002, 1003, 1005}));
}

TEST(HeldRows, OnlyWhatIsSettledGoes) {
  Held h;
  KnownStack first;
  KnownStack second;
  h.call(1, &first);
  h.call(2, &second);
  settle(second, Cause::kApp);
  h.rows.give_out_settled();
  EXPECT_TRUE(h.log.rows.empty());
  settle(first, std::nullopt);
  h.rows.give_out_settled();
  EXPECT_EQ(h.log.rows, (Rows{"c1", "c2 app"}));
}

// As of when the call was made, whatever is known by the time that its row goes.
TEST(HeldRows, GrowthOrLimitIsToldApartForEachRow) {
  Held h;
  KnownStack stack;
  h.call(1, &stack, /*near_limit=*/true);
  h.call(2, &stack, /*near_limit=*/false);
  settle(stack, Cause::kGrowthOrLimit);
  h.rows.give_out_settled();
  h.call(3, &stack, /*near_limit=*/true);
  EXPECT_EQ(h.log.rows, (Rows{"c1 memory-limit", "c2 heap-growth", "c3 memory-limit"}));
}

TEST(HeldRows, FramesThatDoNotComeAreNotWaitedForLongerThanThis) {
  Held h;
  KnownStack lost;
  KnownStack stack;
  h.rows.pass(1'000);
  h.call(1, &lost);
  h.rows.pass(2'000);
  h.call(2, &stack);
  h.rows.pass(1'000 + HeldRows::kLongestNs);
  EXPECT_TRUE(h.log.rows.empty());
  h.rows.pass(1'001 + HeldRows::kLongestNs);
  EXPECT_EQ(h.log.rows, (Rows{"c1"}));
  // Nor again, should the stack be used once more.
  settle(stack, Cause::kApp);
  h.rows.give_out_settled();
  h.call(3, &lost);
  EXPECT_EQ(h.log.rows, (Rows{"c1", "c2 app", "c3"}));
  lost.cause = Cause::kReuse;
  h.call(4, &lost);
  EXPECT_EQ(h.log.rows.back(), "c4 reuse");
}

TEST(HeldRows, NoMoreThanSoManyAreHeld) {
  Held h;
  KnownStack lost;
  for (std::uint32_t i = 0; i < HeldRows::kRows; ++i) h.call(i, &lost);
  EXPECT_TRUE(h.log.rows.empty());
  h.call(HeldRows::kRows, &lost);
  EXPECT_EQ(h.log.rows, (Rows{"c0"}));
  // The others may still get their cause.
  settle(lost, Cause::kApp);
  h.rows.give_out_settled();
  ASSERT_EQ(h.log.rows.size(), HeldRows::kRows + 1);
  EXPECT_EQ(h.log.rows[1], "c1 app");
}

TEST(HeldRows, EverythingGoesAtTheEnd) {
  Held h;
  KnownStack lost;
  KnownStack stack;
  h.call(1, &lost);
  h.release(2, &stack);
  h.call(3, nullptr);
  settle(stack, Cause::kApp);
  h.rows.finish();
  EXPECT_EQ(h.log.rows, (Rows{"c1", "r2 app", "c3"}));
}

}  // namespace
}  // namespace madvtrace
