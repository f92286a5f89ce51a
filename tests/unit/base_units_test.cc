// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"

namespace madvtrace {
namespace {

TEST(Duration, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration_ns("7ns"), 7U);
  EXPECT_EQ(parse_duration_ns("3us"), 3'000U);
  EXPECT_EQ(parse_duration_ns("500ms"), 500'000'000U);
  EXPECT_EQ(parse_duration_ns("5s"), 5'000'000'000U);
  EXPECT_EQ(parse_duration_ns("2m"), 120'000'000'000U);
  EXPECT_EQ(parse_duration_ns("1h"), 3'600'000'000'000U);
}

TEST(Duration, ReadsFractions) {
  EXPECT_EQ(parse_duration_ns("1.5s"), 1'500'000'000U);
  EXPECT_EQ(parse_duration_ns("0.25ms"), 250'000U);
  // Not a number that binary fractions have: rounded, not cut off.
  EXPECT_EQ(parse_duration_ns("0.3s"), 300'000'000U);
}

TEST(Duration, TakesTheLargestAndSmallest) {
  EXPECT_EQ(parse_duration_ns("10000h"), 36'000'000'000'000'000U);
  EXPECT_EQ(parse_duration_ns("10001h"), std::nullopt);
  EXPECT_EQ(parse_duration_ns("1ns"), 1U);
  EXPECT_EQ(parse_duration_ns("0.4ns"), std::nullopt);
}

class NotADuration : public testing::TestWithParam<std::string> {};

TEST_P(NotADuration, IsRefused) { EXPECT_EQ(parse_duration_ns(GetParam()), std::nullopt); }

INSTANTIATE_TEST_SUITE_P(Texts, NotADuration,
                         testing::Values("", "5", "s", ".", ".s", "-5s", "+5s", "5x", "5S", "5 s", " 5s", "5s ", "5ss",
                                         "5s5s", "1e3s", "1.2.3s", "0x5s", "inf s", "infs", "nan s", "nans", "0s",
                                         "0.0s", "99999999999999999999999h", std::string(10'000, '9') + "s",
                                         std::string("5s\0", 3), "5s\n", "5\xC2\xB5s", "1,5s"));

TEST(Bytes, ReadsBinaryUnits) {
  EXPECT_EQ(parse_bytes("1"), 1U);
  EXPECT_EQ(parse_bytes("4096"), 4096U);
  EXPECT_EQ(parse_bytes("64KiB"), 65'536U);
  EXPECT_EQ(parse_bytes("16MiB"), 16'777'216U);
  EXPECT_EQ(parse_bytes("1.5GiB"), 1'610'612'736U);
}

TEST(Bytes, RefusesTheRest) {
  for (const std::string_view text :
       {"", "0", "0KiB", "-1", "1KB", "1kb", "1 MiB", "MiB", "1TiB", "1e3", "9999999999GiB", "nan", "inf"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(Bytes, AreWrittenForPeople) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(536'870'912), "512.0 MiB");
  // One byte under a MiB: not "1024.0 KiB".
  EXPECT_EQ(format_bytes(1'048'575), "1.0 MiB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "16777216.0 TiB");
}

TEST(Bytes, DeltasAlwaysHaveASign) {
  EXPECT_EQ(format_bytes_delta(0), "+0 B");
  EXPECT_EQ(format_bytes_delta(4096), "+4.0 KiB");
  EXPECT_EQ(format_bytes_delta(-4096), "-4.0 KiB");
  EXPECT_EQ(format_bytes_delta(INT64_MIN), "-8388608.0 TiB");
}

TEST(Duration, IsWrittenForPeople) {
  EXPECT_EQ(format_duration(0), "0 us");
  EXPECT_EQ(format_duration(250'000), "250 us");
  EXPECT_EQ(format_duration(250'000'000), "250 ms");
  EXPECT_EQ(format_duration(1'500'000'000), "1.5 s");
  EXPECT_EQ(format_duration(125'000'000'000), "2 min 5 s");
  EXPECT_EQ(format_duration(3'600'000'000'000), "1 h 0 min");
  EXPECT_EQ(format_duration(90'061'000'000'000), "25 h 1 min");
}

TEST(Count, HasThousandsSeparators) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1'000), "1,000");
  EXPECT_EQ(format_count(8'192), "8,192");
  EXPECT_EQ(format_count(123'456), "123,456");
  EXPECT_EQ(format_count(UINT64_MAX), "18,446,744,073,709,551,615");
}

}  // namespace
}  // namespace madvtrace
