// SPDX-License-Identifier: Apache-2.0
// Thousands of random calls from several threads at once, each held against what the
// program knows it did: none missing, none invented, none in another order, and every
// number right, while other threads move the RSS counters.
#include <map>
#include <string>
#include <vector>

#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

struct Threads {
  int workers;
  int faulters;
};

class TruthTest : public LiveTest, public testing::WithParamInterface<Threads> {
 protected:
  // One row; false at the first difference, so that one mistake is told once.
  static bool same(const CsvTable& truth, std::size_t expected, const CsvTable& events, std::size_t got);
};

bool TruthTest::same(const CsvTable& truth, std::size_t expected, const CsvTable& events, std::size_t got) {
  const std::string both = "truth: " + truth.text(expected) + "\nevent: " + events.text(got);
  for (const char* column : {"tid", "call", "advice", "addr", "len_bytes", "ret", "resident_bytes"}) {
    EXPECT_EQ(truth.at(expected, column), events.at(got, column)) << column << "\n" << both;
    if (truth.at(expected, column) != events.at(got, column)) return false;
  }
  const auto delta = events.number(got, "rss_delta_bytes");
  const std::string& quality = events.at(got, "quality");
  EXPECT_EQ(delta, truth.number(expected, "rss_delta_bytes")) << both;
  // A filled mapping's pages are counted after the call, when it may have changed again.
  const bool filled = truth.at(expected, "flags") == "populate";
  EXPECT_TRUE(quality == "exact" || (filled && quality == "bounded")) << both;
  return !testing::Test::HasFailure();
}

TEST_P(TruthTest, EveryCallIsTold) {
  const std::string truth_path = directory_ / "truth.csv";
  const auto program =
      start_program("truth", {"--truth", truth_path, "--workers", std::to_string(GetParam().workers), "--faulters",
                              std::to_string(GetParam().faulters), "--ops", "2000", "--seed", "7"});
  ASSERT_TRUE(program);
  // Room for all of it: what is asked here is not how fast the collector is.
  const auto trace = start_trace({"-p", program->pid_text(), "--ring-size", "256MiB"});
  ASSERT_TRUE(trace);
  const Result<nlohmann::json> done = program->work();
  ASSERT_HAS_VALUE(done);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  ASSERT_EQ(program->finish().value_or(-1), 0);

  const CsvTable table = events();
  const Result<CsvTable> truth = CsvTable::read(truth_path);
  ASSERT_HAS_VALUE(truth);
  ASSERT_GE(truth->size(), 2000U);
  std::map<std::string, std::vector<std::size_t>> expected;
  for (std::size_t row = 0; row < truth->size(); ++row) expected[truth->at(row, "tid")].push_back(row);
  EXPECT_EQ(expected.size(), static_cast<std::size_t>(GetParam().workers + GetParam().faulters));
  for (const auto& [tid, rows] : expected) {
    const std::vector<std::size_t> got = calls_of_thread(table, tid);
    ASSERT_EQ(got.size(), rows.size()) << "calls of thread " << tid;
    for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_TRUE(same(*truth, rows[i], table, got[i]));
  }
  const nlohmann::json told = summary();
  EXPECT_TRUE(told.at("complete").get<bool>());
  EXPECT_TRUE(told.at("lost").empty()) << told.at("lost");
}

INSTANTIATE_TEST_SUITE_P(Threads, TruthTest,
                         testing::Values(Threads{1, 0}, Threads{2, 0}, Threads{4, 0}, Threads{4, 2}),
                         [](const testing::TestParamInfo<Threads>& tested) {
                           return std::to_string(tested.param.workers) + "Workers" +
                                  std::to_string(tested.param.faulters) + "Faulters";
                         });

// The truth itself, held against the kernel's own books and without a tracer.
TEST_F(LiveTest, TheTruthIsTrue) {
  const Result<Outcome> truth =
      run_program({.argv = {traced_program_path("truth"), "--truth", directory_ / "truth.csv", "--workers", "4",
                            "--faulters", "2", "--ops", "500", "--self-check"}});
  ASSERT_HAS_VALUE(truth);
  EXPECT_EQ(truth->exit_code, 0) << truth->errors;
}

}  // namespace
}  // namespace madvtrace
