// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
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

TEST(Result, NamesAnErrno) {
  EXPECT_EQ(errno_text("cannot open x", ENOENT), "cannot open x: No such file or directory");
}

}  // namespace
}  // namespace madvtrace
