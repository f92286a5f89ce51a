// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "symbols/symbolizer.h"

namespace madvtrace {
namespace {

// Above what pid_max can be (PID_MAX_LIMIT): of no process.
constexpr std::uint32_t kNobody = 1U << 23;

TEST(Symbolizer, KeepsThoseThatWereAskedAboutLast) {
  Symbolizer symbols;
  for (std::uint32_t i = 0; i < Symbolizer::kProcesses; ++i) symbols.symbol(kNobody + i, 0x1000);
  symbols.symbol(kNobody, 0x1000);
  const std::uint32_t one_more = kNobody + Symbolizer::kProcesses;
  symbols.symbol(one_more, 0x1000);
  EXPECT_TRUE(symbols.knows(kNobody));
  EXPECT_FALSE(symbols.knows(kNobody + 1));
  EXPECT_TRUE(symbols.knows(kNobody + 2));
  EXPECT_TRUE(symbols.knows(one_more));
}

}  // namespace
}  // namespace madvtrace
