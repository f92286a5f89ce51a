// SPDX-License-Identifier: Apache-2.0
// --refaults against a program that knows which pages it gave back and touched again: to
// the page, whoever touches them. The numbers are printed side by side.
#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tests/live/live_test.h"
#include "tests/support/http_get.h"

namespace madvtrace {
namespace {

using nlohmann::json;

constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kHuge = std::int64_t{2} << 20;

class RefaultsTest : public LiveTest {
 protected:
  // tests/targets/c/refault.c with its memory touched, and a trace of it.
  void start(const std::vector<std::string>& arguments, const std::string& interval = "1s") {
    program_ = start_program("refault", arguments);
    ASSERT_TRUE(program_);
    ASSERT_HAS_VALUE(program_->work());
    trace_ = start_trace({"--refaults", "-i", interval, "-p", program_->pid_text()});
    ASSERT_TRUE(trace_);
  }

  // What it tells after the last of these steps; null after a failure.
  json steps(const std::string& names) {
    json answer;
    for (const char name : names) {
      EXPECT_HAS_VALUE(program_->process().write_input(std::string(1, name)));
      const Result<json> told = program_->read_json();
      EXPECT_HAS_VALUE(told);
      if (!told) return {};
      EXPECT_EQ(told->at("step"), std::string(1, name));
      answer = *told;
    }
    return answer;
  }

  void end_trace() {
    ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace_));
    Result<CsvTable> table = CsvTable::read(file("releases.csv"));
    ASSERT_HAS_VALUE(table);
    releases_ = std::move(*table);
    summary_ = summary();
    ASSERT_TRUE(summary_.is_object());
    EXPECT_TRUE(summary_.at("lost").empty()) << summary_.at("lost");
    EXPECT_EQ(summary_.at("tier"), "refaults");
    check_rows();
  }

  // Bytes of stage `return`; of one quality, if given.
  std::int64_t returned(const std::string& quality = "") const {
    std::int64_t sum = 0;
    for (const std::size_t row : releases_.rows_where("stage", "return")) {
      if (quality.empty() || releases_.at(row, "quality") == quality) sum += releases_.number(row, "bytes").value_or(0);
    }
    return sum;
  }

  json returns() const { return summary_.at("returns"); }

  std::unique_ptr<TracedProgram> program_;
  std::unique_ptr<MadvtraceRun> trace_;
  CsvTable releases_;
  json summary_;

 private:
  // No more comes back of a release than left, and a row of each stage agrees about it.
  void check_rows() const {
    std::map<std::string, std::int64_t> left;
    std::map<std::string, std::size_t> first;
    for (const std::size_t row : releases_.rows_where("stage", "leave")) {
      left[releases_.at(row, "release_id")] += releases_.number(row, "bytes").value_or(0);
      first[releases_.at(row, "release_id")] = row;
    }
    for (const std::size_t row : releases_.rows_where("stage", "return")) {
      const std::string& id = releases_.at(row, "release_id");
      ASSERT_TRUE(first.contains(id)) << releases_.text(row);
      left[id] -= releases_.number(row, "bytes").value_or(0);
      EXPECT_GE(left[id], 0) << releases_.text(row);
      EXPECT_EQ(releases_.at(row, "fate"), "refaulted");
      for (const char* column : {"tid", "call", "advice", "addr", "len_bytes", "resident_bytes", "released_ts_ns"}) {
        EXPECT_EQ(releases_.at(row, column), releases_.at(first[id], column)) << releases_.text(row);
      }
    }
  }
};

TEST_F(RefaultsTest, EveryPageThatIsTouchedAgainAndNoOther) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  // By the thread that gave it back, by read(), by a thread that ran before the trace
  // began, by one that did not; a child's pages are its own, and new ones are not old.
  const json truth = steps("dwrdtdndcdmw");
  ASSERT_NO_FATAL_FAILURE(end_trace());
  std::cout << "[  NUMBERS ] returned " << returned() << " truth " << truth.at("touched_bytes") << std::endl;
  EXPECT_EQ(returned(), truth.at("touched_bytes"));
  EXPECT_EQ(returned("exact"), truth.at("touched_bytes"));
  EXPECT_EQ(returns().at("returned").at("bytes"), truth.at("touched_bytes"));
  EXPECT_EQ(returns().at("returned").at("faults"), truth.at("touched_bytes").get<std::int64_t>() / kPage);
  EXPECT_GT(returns().at("returned").at("fault_cpu_ns").get<std::int64_t>(), 0);
}

TEST_F(RefaultsTest, ByTheKernelAlone) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  const json truth = steps("dr");
  ASSERT_NO_FATAL_FAILURE(end_trace());
  EXPECT_EQ(truth.at("touched_bytes"), (truth.at("mapped_bytes").get<std::int64_t>() / kPage + 4) / 5 * kPage);
  EXPECT_EQ(returned("exact"), truth.at("touched_bytes"));
}

TEST_F(RefaultsTest, WhatComesBackWithoutAFaultIsFoundByALook) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  const json touched = steps("dw");
  const json truth = steps("p");
  ASSERT_NO_FATAL_FAILURE(end_trace());
  EXPECT_EQ(truth.at("touched_bytes"), truth.at("mapped_bytes"));
  EXPECT_EQ(returned("exact"), touched.at("touched_bytes"));
  EXPECT_EQ(returned(), truth.at("mapped_bytes"));
}

// One fault brings 512 pages: to the moment one of them, by a look the others.
TEST_F(RefaultsTest, HugePagesComeBackWhole) {
  ASSERT_NO_FATAL_FAILURE(start({"--huge"}));
  const json truth = steps("dw");
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const std::int64_t mapped = truth.at("mapped_bytes");
  std::cout << "[  NUMBERS ] returned " << returned() << " of " << mapped << ", by faults " << returned("exact")
            << std::endl;
  // Where there is no huge page to be had, each page has its own fault.
  if (returned("exact") == truth.at("touched_bytes")) GTEST_SKIP() << "the kernel gave no huge page";
  EXPECT_EQ(returned(), mapped);
  EXPECT_GE(returned("exact"), mapped / kHuge * kPage);
}

TEST_F(RefaultsTest, WithoutItNothingIsRecorded) {
  program_ = start_program("refault", {});
  ASSERT_TRUE(program_);
  ASSERT_HAS_VALUE(program_->work());
  trace_ = start_trace({"-p", program_->pid_text()});
  ASSERT_TRUE(trace_);
  steps("dw");
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace_));
  const Result<CsvTable> table = CsvTable::read(file("releases.csv"));
  ASSERT_HAS_VALUE(table);
  EXPECT_TRUE(table->rows_where("stage", "return").empty());
  EXPECT_FALSE(summary().contains("returns"));
}

// Started by the tracer, and a child of it.
TEST_F(RefaultsTest, OfACommandFromItsFirstPageOn) {
  const std::string script = traced_program_path("refault") + R"( --mib 1 < /dev/null > /dev/null; printf gdwdw | )" +
                             traced_program_path("refault") + " --mib 4 > /dev/null";
  trace_ = start_trace({"--refaults", "-f", "--", "/bin/sh", "-c", script});
  ASSERT_TRUE(trace_);
  const Result<int> code = trace_->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace_->errors();
  summary_ = summary();
  Result<CsvTable> table = CsvTable::read(file("releases.csv"));
  ASSERT_HAS_VALUE(table);
  releases_ = std::move(*table);
  std::int64_t by_advice = 0;
  for (const std::size_t row : releases_.rows_where("stage", "return")) {
    if (releases_.number(row, "len_bytes") == std::int64_t{4} << 20) by_advice += *releases_.number(row, "bytes");
  }
  // Every third of 1024 pages, after each of the two releases: the second finds only those.
  EXPECT_EQ(by_advice, 2 * 342 * kPage);
  EXPECT_TRUE(summary_.at("lost").empty()) << summary_.at("lost");
}

TEST_F(RefaultsTest, AGoProgramTakesBackWhatItGave) {
  const auto server = start_program("demo", {"-addr", "127.0.0.1:0"});
  ASSERT_TRUE(server);
  const auto get = [&](const std::string& path) { return http_get(server->ready().at("addr"), path); };
  ASSERT_NE(get("/alloc?mb=64").find("200 OK"), std::string::npos);
  trace_ = start_trace({"--refaults", "-p", server->pid_text()});
  ASSERT_TRUE(trace_);
  ASSERT_NE(get("/free").find("200 OK"), std::string::npos);
  ASSERT_NE(get("/release").find("200 OK"), std::string::npos);
  ASSERT_NE(get("/alloc?mb=64").find("200 OK"), std::string::npos);
  ASSERT_NO_FATAL_FAILURE(end_trace());
  std::cout << "[  NUMBERS ] left " << returns().at("left_bytes") << " returned " << returned() << std::endl;
  EXPECT_GE(returned(), std::int64_t{48} << 20);
  EXPECT_LE(returned(), returns().at("left_bytes").get<std::int64_t>());
}

TEST_F(RefaultsTest, DoctorSeesItsOwnHit) {
  const Result<Outcome> outcome = run_madvtrace({"doctor", "--json"});
  ASSERT_HAS_VALUE(outcome);
  const json told = json::parse(outcome->output);
  EXPECT_TRUE(told.at("tiers").at("refaults").get<bool>()) << outcome->output;
  const auto& findings = told.at("findings");
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [](const json& finding) { return finding.at("tier") == "refaults"; });
  ASSERT_NE(found, findings.end()) << outcome->output;
  EXPECT_EQ(found->at("answer"), "yes") << *found;
}

}  // namespace
}  // namespace madvtrace
