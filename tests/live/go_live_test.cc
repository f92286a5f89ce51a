// SPDX-License-Identifier: Apache-2.0
// A Go program: the releases of its runtime, with the stacks that say whose doing it was.
#include <csignal>
#include <string>

#include "tests/live/live_test.h"
#include "tests/support/http_get.h"

namespace madvtrace {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

class GoTest : public LiveTest {
 protected:
  void SetUp() override;
  std::string get(const std::string& path) const { return http_get(server_->ready().at("addr"), path); }

  std::unique_ptr<TracedProgram> server_;
};

void GoTest::SetUp() {
  LiveTest::SetUp();
  if (HasFatalFailure() || IsSkipped()) return;
  server_ = start_program("demo", {"-addr", "127.0.0.1:0"});
  ASSERT_TRUE(server_);
}

TEST_F(GoTest, ReleasesHaveTheirSizeAndTheirCause) {
  ASSERT_NE(get("/alloc?mb=64").find("200 OK"), std::string::npos);
  ASSERT_NE(get("/free").find("200 OK"), std::string::npos);
  const auto trace = start_trace({"-p", server_->pid_text()});
  ASSERT_TRUE(trace);
  ASSERT_NE(get("/release").find("200 OK"), std::string::npos);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));

  const CsvTable table = events();
  const Result<CsvTable> stacks = CsvTable::read(file("stacks.csv"));
  ASSERT_HAS_VALUE(stacks);
  std::int64_t left_rss = 0;
  bool asked_for = false;
  for (std::size_t row = 0; row < table.size(); ++row) {
    if (table.at(row, "advice") != "MADV_DONTNEED") continue;
    left_rss -= table.number(row, "rss_delta_bytes").value_or(0);
    const auto stack = stacks->rows_where("stack_id", table.at(row, "stack_id"));
    ASSERT_EQ(stack.size(), 1U) << table.text(row);
    const std::string& frames = stacks->at(stack.front(), "frames");
    EXPECT_TRUE(frames.starts_with("runtime.madvise")) << frames;
    asked_for |= frames.find("reeOSMemory") != std::string::npos;
  }
  // The background scavenger may have had some of it before the trace began.
  EXPECT_GT(left_rss, 16 * kMiB);
  EXPECT_LT(left_rss, 128 * kMiB);
  EXPECT_TRUE(asked_for) << "no stack leads to debug.FreeOSMemory";
}

TEST_F(GoTest, ServerEndsCleanly) {
  ASSERT_HAS_VALUE(server_->process().signal(SIGTERM));
  const Result<int> code = server_->process().wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << server_->process().errors();
}

}  // namespace
}  // namespace madvtrace
