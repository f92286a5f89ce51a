// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "golang/expected_advice.h"

namespace madvtrace {
namespace {

ReleaseAdvice of(std::string_view version, std::string_view environment, std::string_view defaults = "") {
  const auto parsed = GoVersion::parse(version);
  EXPECT_TRUE(parsed) << version;
  return expected_advice(parsed.value_or(GoVersion{}), defaults, environment);
}

TEST(ExpectedAdvice, ByVersion) {
  EXPECT_EQ(of("go1.11.13", ""), ReleaseAdvice::kDontneed);
  EXPECT_EQ(of("go1.12.9", ""), ReleaseAdvice::kFree);
  EXPECT_EQ(of("go1.15.5", ""), ReleaseAdvice::kFree);
  EXPECT_EQ(of("go1.16.3", ""), ReleaseAdvice::kDontneed);
  EXPECT_EQ(of("go1.26.5", ""), ReleaseAdvice::kDontneed);
}

TEST(ExpectedAdvice, TheSettingTurnsItAround) {
  EXPECT_EQ(of("go1.11.13", "madvdontneed=0"), ReleaseAdvice::kDontneed);
  EXPECT_EQ(of("go1.12.9", "madvdontneed=1"), ReleaseAdvice::kDontneed);
  EXPECT_EQ(of("go1.19.8", "madvdontneed=0"), ReleaseAdvice::kFree);
  EXPECT_EQ(of("go1.19.8", "gctrace=1,madvdontneed=0,x=y"), ReleaseAdvice::kFree);
  EXPECT_EQ(of("go1.19.8", "madvdontneed=yes"), ReleaseAdvice::kDontneed);
  EXPECT_EQ(of("go1.19.8", "xmadvdontneed=0,madvdontneed"), ReleaseAdvice::kDontneed);
}

TEST(ExpectedAdvice, TheEnvironmentWinsOverWhatIsCompiledIn) {
  EXPECT_EQ(of("go1.22.1", "", "madvdontneed=0"), ReleaseAdvice::kFree);
  EXPECT_EQ(of("go1.22.1", "madvdontneed=1", "madvdontneed=0"), ReleaseAdvice::kDontneed);
}

TEST(GodebugSetting, TheLastOfTwoCounts) {
  EXPECT_EQ(godebug_setting("a=1,b=2,a=3", "a"), "3");
  EXPECT_EQ(godebug_setting("a=", "a"), "");
  EXPECT_FALSE(godebug_setting("", "a"));
  EXPECT_FALSE(godebug_setting(",,,=,", "a"));
}

}  // namespace
}  // namespace madvtrace
