// SPDX-License-Identifier: Apache-2.0
#include "tests/live/burst_test.h"

#include <chrono>
#include <ctime>
#include <thread>

namespace madvtrace {

void BurstTest::start_burst(const std::vector<std::string>& arguments) {
  burst_ = start_program("burst", arguments);
  ASSERT_TRUE(burst_);
  ASSERT_HAS_VALUE(burst_->go());
}

void BurstTest::begin_step(char name) { ASSERT_HAS_VALUE(burst_->process().write_input(std::string(1, name))); }

nlohmann::json BurstTest::end_step() {
  const Result<nlohmann::json> told = burst_->read_json();
  EXPECT_HAS_VALUE(told);
  return told ? *told : nlohmann::json();
}

nlohmann::json BurstTest::step(char name) {
  begin_step(name);
  return end_step();
}

void BurstTest::expect_unharmed(const nlohmann::json& burst) {
  ASSERT_TRUE(burst.is_object());
  EXPECT_GT(burst.at("calls_made"), 0);
  EXPECT_EQ(burst.at("wrong"), 0) << burst;
  ASSERT_HAS_VALUE(burst_->process().write_input("x"));
  const Result<int> code = burst_->process().wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << burst_->process().errors();
}

void BurstTest::wait_until_drained() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t since_ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  // The first may have been due, and taken, before the ring was looked at.
  constexpr std::size_t kSamples = 3;
  for (std::size_t later = 0; later < kSamples;) {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "no samples";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const Result<CsvTable> samples = CsvTable::read(file("samples.csv"));
    if (!samples) continue;
    later = 0;
    for (const std::size_t row : samples->rows_where("pid", burst_->pid_text())) {
      if (samples->number(row, "mono_ns").value_or(0) > since_ns) ++later;
    }
  }
}

std::int64_t lost_calls(const nlohmann::json& summary) {
  return summary.at("lost").value("call_ring_full", std::int64_t{0});
}

}  // namespace madvtrace
