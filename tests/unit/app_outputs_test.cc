// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "app/outputs.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

TEST(Outputs, AFileThatCannotBeCreatedLaterIsAnError) {
  const test::TempDirectory temporary;
  Options options;
  options.mode = Mode::kReplay;
  options.output_directory = temporary / "out";
  options.quiet = true;
  Result<std::unique_ptr<Outputs>> outputs = Outputs::create(options);
  ASSERT_TRUE(outputs) << outputs.error().message;
  test::write_all(temporary / "out/rss_changes.csv", "mine");
  EXPECT_TRUE((*outputs)->status());
  (*outputs)->on_rss({});
  const Status status = (*outputs)->status();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ExitCode::kFailed);
  EXPECT_NE(status.error().message.find("rss_changes.csv"), std::string::npos) << status.error().message;
  (*outputs)->finish({});
  EXPECT_NE(test::read_all(temporary / "out/summary.json").find("output_failed"), std::string::npos);
}

}  // namespace
}  // namespace madvtrace
