// SPDX-License-Identifier: Apache-2.0
// The server that leaks, and its twin that does not: that they are what they say, and
// what of it can be seen from outside.
#include <cstdint>
#include <string>

#include "tests/live/live_test.h"
#include "tests/support/http_get.h"

namespace madvtrace {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

class SoftDelete : public LiveTest, public testing::WithParamInterface<std::string> {
 protected:
  // 64 MiB of projects, deleted again.
  void start_and_delete(const std::vector<std::string>& arguments);
  bool get(const std::string& path) const {
    return http_get(server_->ready().at("addr"), path).find("200 OK") != std::string::npos;
  }
  Json stats() const { return Json::parse(http_body(http_get(server_->ready().at("addr"), "/stats"))); }
  // What left RSS inside of the server's calls while it was asked to release.
  std::int64_t left_rss_in_release();

  std::unique_ptr<TracedProgram> server_;
  Json before_;
};

void SoftDelete::start_and_delete(const std::vector<std::string>& arguments) {
  server_ = start_program(GetParam(), arguments);
  ASSERT_TRUE(server_);
  before_ = stats();
  ASSERT_TRUE(get("/fill?mib=64"));
  const Json filled = stats();
  ASSERT_EQ(filled.at("Projects"), 16);
  ASSERT_GE(filled.at("HeapInuse"), 64 * kMiB);
  ASSERT_EQ(filled.at("Goroutines").get<int>(), before_.at("Goroutines").get<int>() + 16);
  ASSERT_TRUE(get("/delete"));
  ASSERT_EQ(stats().at("Projects"), 0);
}

std::int64_t SoftDelete::left_rss_in_release() {
  const auto trace = start_trace({"-p", server_->pid_text()});
  if (!trace || !get("/release")) return -1;
  end_cleanly(*trace);
  const CsvTable table = events();
  std::int64_t left = 0;
  for (const std::size_t row : table.rows_where("advice", "MADV_DONTNEED")) {
    left -= table.number(row, "rss_delta_bytes").value_or(0);
  }
  EXPECT_EQ(rows_of(table, server_->pid(), "gc_end").size(), 1U) << "releasing collects first";
  return left;
}

TEST_P(SoftDelete, TheLeakStaysInUse) {
  ASSERT_NO_FATAL_FAILURE(start_and_delete({}));
  const std::int64_t left = left_rss_in_release();
  EXPECT_GE(left, 0);
  EXPECT_LT(left, 4 * kMiB);
  const Json after = stats();
  EXPECT_EQ(after.at("Deleted"), 16);
  EXPECT_GE(after.at("HeapInuse"), 64 * kMiB);
  EXPECT_EQ(after.at("Goroutines").get<int>(), before_.at("Goroutines").get<int>() + 16);
}

TEST_P(SoftDelete, WithoutItTheMemoryGoes) {
  ASSERT_NO_FATAL_FAILURE(start_and_delete({"-fixed"}));
  EXPECT_GE(left_rss_in_release(), 60 * kMiB);
  const Json after = stats();
  EXPECT_EQ(after.at("Deleted"), 0);
  EXPECT_LT(after.at("HeapInuse"), 4 * kMiB);
  EXPECT_EQ(after.at("Goroutines"), before_.at("Goroutines"));
}

INSTANTIATE_TEST_SUITE_P(Builds, SoftDelete, testing::Values("soft_delete", "soft_delete_stripped"),
                         [](const auto& build) { return build.param; });

}  // namespace
}  // namespace madvtrace
