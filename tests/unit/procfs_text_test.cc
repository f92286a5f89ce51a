// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "procfs/text.h"

namespace madvtrace {
namespace {

std::vector<std::string_view> pieces(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) found.push_back(take_until(text, ','));
  return found;
}

TEST(ProcText, IsCutAtTheSeparator) {
  EXPECT_EQ(pieces("a,b"), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_EQ(pieces("a,,b,"), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_TRUE(pieces("").empty());
}

TEST(ProcText, NumbersAreTheWholeText) {
  EXPECT_EQ(parse_integer<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_integer<std::uint64_t>("ffffffffff600000", 16), 0xffff'ffff'ff60'0000U);
  EXPECT_EQ(parse_integer<int>("-1"), -1);
  for (const std::string_view text : {"", " 1", "1 ", "+1", "-1", "1x", "0x1", "18446744073709551616"}) {
    EXPECT_EQ(parse_integer<std::uint64_t>(text), std::nullopt) << text;
  }
}

TEST(ProcText, KilobytesAre1024Bytes) {
  EXPECT_EQ(parse_kb_as_bytes("    1608 kB"), 1'646'592U);
  EXPECT_EQ(parse_kb_as_bytes("0 kB"), 0U);
  EXPECT_EQ(parse_kb_as_bytes("18014398509481983 kB"), UINT64_MAX - 1023);
  for (const std::string_view text : {"", "kB", " kB", "1", "1kB", "1 MB", "-1 kB", "1.5 kB", "18014398509481984 kB"}) {
    EXPECT_EQ(parse_kb_as_bytes(text), std::nullopt) << text;
  }
}

TEST(ProcText, KeysAndValuesAreTrimmed) {
  const auto line = parse_key_value("VmRSS:\t    1608 kB");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->key, "VmRSS");
  EXPECT_EQ(line->value, "1608 kB");
  const auto bare = parse_key_value("Groups:\t ");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->value, "");
  EXPECT_FALSE(parse_key_value("no colon"));
}

TEST(ProcText, ADeletedPathIsMarkedAtItsEnd) {
  EXPECT_EQ(split_deleted("/usr/bin/server (deleted)").path, "/usr/bin/server");
  EXPECT_TRUE(split_deleted("/usr/bin/server (deleted)").deleted);
  EXPECT_EQ(split_deleted("/usr/bin/server").path, "/usr/bin/server");
  EXPECT_FALSE(split_deleted("/usr/bin/server").deleted);
  EXPECT_FALSE(split_deleted("/x (deleted)/y").deleted);
  EXPECT_FALSE(split_deleted("/x(deleted)").deleted);
}

}  // namespace
}  // namespace madvtrace
