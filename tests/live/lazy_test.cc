// SPDX-License-Identifier: Apache-2.0
#include "tests/live/lazy_test.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

namespace madvtrace {

std::int64_t smaps_lag_bytes() { return kBatchPages * kPage * ::sysconf(_SC_NPROCESSORS_ONLN); }

std::int64_t vmstat(const std::vector<std::string>& names) {
  std::istringstream text(test::read_all("/proc/vmstat"));
  std::int64_t sum = 0;
  std::size_t found = 0;
  std::string name;
  for (std::int64_t value = 0; text >> name >> value;) {
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    sum += value;
    ++found;
  }
  EXPECT_EQ(found, names.size()) << "/proc/vmstat lacks a counter";
  return sum;
}

void LazyTest::start_lazy(const std::vector<std::string>& arguments, const PressureGroup* group) {
  lazy_ = start_program("lazy", arguments);
  ASSERT_TRUE(lazy_);
  if (group != nullptr) {
    ASSERT_EQ(group->add(lazy_->pid()), 0);
  }
  const Result<json> allocated = lazy_->work();
  ASSERT_HAS_VALUE(allocated);
  EXPECT_EQ(allocated->at("resident_bytes"), allocated->at("mapped_bytes"));
  mapped_ = allocated->at("mapped_bytes");
}

void LazyTest::trace_lazy(std::vector<std::string> more) {
  more.insert(more.end(), {"-p", lazy_->pid_text()});
  trace_ = start_trace(std::move(more));
  ASSERT_TRUE(trace_);
}

json LazyTest::step(char name) {
  EXPECT_HAS_VALUE(lazy_->process().write_input(std::string(1, name)));
  Result<std::string> line = lazy_->process().read_line(kDeadline * 3);
  EXPECT_HAS_VALUE(line);
  json answer = line ? json::parse(*line, nullptr, false) : json();
  EXPECT_TRUE(answer.is_object() && answer.at("step") == std::string(1, name)) << answer.dump();
  return answer.is_object() ? answer : json();
}

void LazyTest::end_trace() {
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace_));
  ASSERT_NO_FATAL_FAILURE(read_releases());
}

void LazyTest::read_releases() {
  Result<CsvTable> table = CsvTable::read(file("releases.csv"));
  ASSERT_HAS_VALUE(table);
  releases_ = std::move(*table);
  expect_conservation();
  const json told = summary();
  ASSERT_TRUE(told.is_object());
  EXPECT_TRUE(told.at("complete").get<bool>());
  EXPECT_TRUE(told.at("lost").empty()) << told.at("lost");
  delays_ = told.value("delays", json());
}

std::int64_t LazyTest::bytes_of(const std::string& fate, const std::string& advice) const {
  std::int64_t sum = 0;
  for (const std::size_t row : releases_.rows_where("fate", fate)) {
    if (advice.empty() || releases_.at(row, "advice") == advice) sum += releases_.number(row, "bytes").value_or(0);
  }
  return sum;
}

std::int64_t LazyTest::released(const std::string& advice) const {
  std::map<std::string, std::int64_t> by_id;
  for (const std::size_t row : releases_.rows_where("advice", advice)) {
    by_id[releases_.at(row, "release_id")] = releases_.number(row, "resident_bytes").value_or(0);
  }
  std::int64_t sum = 0;
  for (const auto& [id, bytes] : by_id) sum += bytes;
  return sum;
}

std::int64_t LazyTest::last_sample(const std::string& column) const {
  const Result<CsvTable> samples = CsvTable::read(file("samples.csv"));
  EXPECT_HAS_VALUE(samples);
  if (!samples) return -1;
  const auto rows = samples->rows_where("pid", lazy_->pid_text());
  EXPECT_FALSE(rows.empty());
  return rows.empty() ? -1 : samples->number(rows.back(), column).value_or(-1);
}

void LazyTest::expect_pending(const json& before, const json& after) const {
  const std::int64_t pending = bytes_of("pending");
  const std::int64_t walked = last_sample("lazyfree_bytes");
  const std::int64_t lag = smaps_lag_bytes();
  print("pending rows", pending, "pending_bytes of the last sample", last_sample("pending_bytes"), "its lazyfree_bytes",
        walked, "| pagemap", before.at("lazy_bytes"), "->", after.at("lazy_bytes"), "smaps LazyFree",
        before.at("smaps_lazyfree_bytes"), "->", after.at("smaps_lazyfree_bytes"), "reclaimed", bytes_of("reclaimed"));
  EXPECT_EQ(last_sample("pending_bytes"), pending);
  EXPECT_LE(pending, before.at("lazy_bytes").get<std::int64_t>());
  EXPECT_GE(pending, after.at("lazy_bytes").get<std::int64_t>());
  EXPECT_LE(pending, before.at("smaps_lazyfree_bytes").get<std::int64_t>() + lag);
  EXPECT_GE(pending, after.at("smaps_lazyfree_bytes").get<std::int64_t>() - lag);
}

// The bytes of a release's rows add up, and its rows agree about everything else.
void LazyTest::expect_conservation() const {
  std::map<std::string, std::pair<std::size_t, std::int64_t>> sums;  // release_id -> first row, bytes
  ASSERT_GT(releases_.size(), 0U);
  for (std::size_t row = 0; row < releases_.size(); ++row) {
    if (releases_.at(row, "stage") != "leave") continue;
    const auto [at, first] = sums.try_emplace(releases_.at(row, "release_id"), row, 0);
    for (const char* column :
         {"pid", "tid", "call", "advice", "addr", "len_bytes", "resident_bytes", "released_ts_ns"}) {
      ASSERT_EQ(releases_.at(row, column), releases_.at(at->second.first, column)) << releases_.text(row);
    }
    const std::int64_t bytes = releases_.number(row, "bytes").value_or(0);
    ASSERT_GT(bytes, 0) << releases_.text(row);
    ASSERT_EQ(bytes % kPage, 0) << releases_.text(row);
    at->second.second += bytes;
    const auto delay_max = releases_.number(row, "delay_max_ns");
    ASSERT_EQ(delay_max.has_value(), releases_.at(row, "fate") != "pending") << releases_.text(row);
    if (delay_max) {
      ASSERT_LE(releases_.number(row, "delay_min_ns").value_or(-1), *delay_max) << releases_.text(row);
    }
  }
  std::int64_t total = 0;
  for (const auto& [id, sum] : sums) {
    ASSERT_EQ(releases_.number(sum.first, "resident_bytes"), sum.second)
        << "release " << id << ": " << releases_.text(sum.first);
    ASSERT_LE(sum.second, releases_.number(sum.first, "len_bytes").value_or(0)) << releases_.text(sum.first);
    total += sum.second;
  }
  print("conservation:", sums.size(), "releases,", releases_.size(), "rows,", total, "bytes; freed", bytes_of("freed"),
        "reclaimed", bytes_of("reclaimed"), "rewritten", bytes_of("rewritten"), "superseded", bytes_of("superseded"),
        "unmapped", bytes_of("unmapped"), "exited", bytes_of("exited"), "pending", bytes_of("pending"));
}

}  // namespace madvtrace
