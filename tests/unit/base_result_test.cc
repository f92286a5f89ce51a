// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/result.h"

namespace madvtrace {
namespace {

TEST(Result, CarriesTheExitCodeItMeans) {
  const Result<int> failed = fail(ExitCode::kUnsupported, "no");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ExitCode::kUnsupported);
  EXPECT_EQ(failed.error().message, "no");
}

TEST(Result, FailsWhileRunningUnlessToldOtherwise) {
  const Status failed = fail("no");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ExitCode::kFailed);
}

TEST(Result, ExitCodesAreWhatScriptsRelyOn) {
  EXPECT_EQ(static_cast<int>(ExitCode::kClean), 0);
  EXPECT_EQ(static_cast<int>(ExitCode::kFailed), 1);
  EXPECT_EQ(static_cast<int>(ExitCode::kUsage), 2);
  EXPECT_EQ(static_cast<int>(ExitCode::kGate), 3);
  EXPECT_EQ(static_cast<int>(ExitCode::kInconclusive), 4);
  EXPECT_EQ(static_cast<int>(ExitCode::kUnsupported), 5);
}

Result<std::unique_ptr<int>> half(int number, int& asked) {
  ++asked;
  if (number % 2 != 0) return fail({ExitCode::kUsage, "odd", Failure::kMalformed});
  return std::make_unique<int>(number / 2);
}

Result<std::string> quarter(int number, int& asked) {
  MADV_TAKE(const auto once, half(number, asked));
  std::unique_ptr<int> twice;
  MADV_TAKE(twice, half(*once, asked));
  return std::to_string(*twice);
}

Status is_multiple_of_four(int number, int& asked) {
  MADV_TRY(quarter(number, asked));
  ++asked;
  return {};
}

TEST(Result, IsTakenOnceAndMoved) {
  int asked = 0;
  EXPECT_EQ(quarter(12, asked), "3");
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(is_multiple_of_four(12, asked));
  EXPECT_EQ(asked, 5);
}

TEST(Result, PassesTheWholeErrorOnAndGoesNoFurther) {
  int asked = 0;
  const Status failed = is_multiple_of_four(6, asked);
  ASSERT_FALSE(failed);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(failed.error().code, ExitCode::kUsage);
  EXPECT_EQ(failed.error().message, "odd");
  EXPECT_EQ(failed.error().failure, Failure::kMalformed);
}

TEST(Result, NamesAnErrno) {
  EXPECT_EQ(errno_text("cannot open x", ENOENT), "cannot open x: No such file or directory");
}

}  // namespace
}  // namespace madvtrace
