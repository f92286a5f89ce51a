// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "procfs/environ.h"

namespace madvtrace {
namespace {

using std::string_view_literals::operator""sv;

TEST(ProcEnviron, FindsAVariable) {
  const Environment environment = parse_environ("PATH=/bin\0GODEBUG=madvdontneed=0,gctrace=1\0EMPTY=\0"sv, false);
  EXPECT_EQ(environment.variables.size(), 3U);
  EXPECT_EQ(environment.find("GODEBUG"), "madvdontneed=0,gctrace=1");
  EXPECT_EQ(environment.find("EMPTY"), "");
  EXPECT_EQ(environment.find("GO"), std::nullopt);
  EXPECT_FALSE(environment.truncated);
}

TEST(ProcEnviron, OfANameThatComesTwiceTheFirstCounts) {
  EXPECT_EQ(parse_environ("A=1\0A=2\0"sv, false).find("A"), "1");
}

TEST(ProcEnviron, WhatIsNoVariableIsPassedOver) {
  const Environment environment = parse_environ("\0\0title of the process\0A=x\ny"sv, false);
  EXPECT_EQ(environment.variables.size(), 1U);
  EXPECT_EQ(environment.find("A"), "x\ny");
}

TEST(ProcEnviron, AVariableCutInTwoIsLeftOut) {
  const Environment environment = parse_environ("A=1\0GODEBUG=madvdon"sv, true);
  EXPECT_TRUE(environment.truncated);
  EXPECT_EQ(environment.find("A"), "1");
  EXPECT_EQ(environment.find("GODEBUG"), std::nullopt);
  EXPECT_TRUE(parse_environ("GODEBUG=madvdon", true).variables.empty());
  EXPECT_TRUE(parse_environ("", true).variables.empty());
}

TEST(ProcEnviron, SurvivesGarbage) {
  EXPECT_TRUE(parse_environ(std::string(10'000'000, '\0'), false).variables.empty());
  EXPECT_EQ(parse_environ(std::string(10'000'000, '='), false).variables.size(), 1U);
}

}  // namespace
}  // namespace madvtrace
