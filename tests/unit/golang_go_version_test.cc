// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "golang/go_version.h"

namespace madvtrace {
namespace {

TEST(GoVersion, ReadsWhatGoCallsItself) {
  struct Case {
    const char* text;
    unsigned minor;
    unsigned patch;
  };
  for (const Case& each :
       {Case{"go1.9", 9, 0}, Case{"go1.19.8", 19, 8}, Case{"go1.21rc2", 21, 0}, Case{"go1.18beta1", 18, 0},
        Case{"go1.17.13 X:boringcrypto", 17, 13}, Case{"go1.22.1-google", 22, 1}, Case{"go1.20.10-fips", 20, 10},
        Case{"devel go1.22-0123abcd Tue Jan 2 03:04:05 2024 +0000", 22, 0}}) {
    const auto version = GoVersion::parse(each.text);
    ASSERT_TRUE(version) << each.text;
    EXPECT_EQ(version->minor, each.minor) << each.text;
    EXPECT_EQ(version->patch, each.patch) << each.text;
    EXPECT_EQ(version->text, each.text);
  }
}

TEST(GoVersion, IsUnknownWithoutANumber) {
  for (const char* text : {"", "go1", "go1.", "go2.1", "go1.x", "go1.-1", "go1.19.", "1.19.8", "Go1.19", " go1.19",
                           "devel +0123abcd Tue Jan 2 03:04:05 2018 +0000", "go1.99999", "go1.1.99999999999"}) {
    EXPECT_FALSE(GoVersion::parse(text)) << text;
  }
  EXPECT_FALSE(GoVersion::parse("go1.19 " + std::string(10'000, 'x')));
}

TEST(GoVersion, IsAtLeast) {
  const auto version = GoVersion::parse("go1.19.8");
  ASSERT_TRUE(version);
  EXPECT_TRUE(version->at_least(18));
  EXPECT_TRUE(version->at_least(18, 9));
  EXPECT_TRUE(version->at_least(19));
  EXPECT_TRUE(version->at_least(19, 8));
  EXPECT_FALSE(version->at_least(19, 9));
  EXPECT_FALSE(version->at_least(20));
}

}  // namespace
}  // namespace madvtrace
