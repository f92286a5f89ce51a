// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <deque>

#include "symbols/symbolizer.h"

namespace madvtrace {
namespace {

// Above what pid_max can be (PID_MAX_LIMIT): of no process.
constexpr std::uint32_t kNobody = 1U << 23;

TEST(Symbolizer, KeepsThoseThatWereAskedAboutLast) {
  Symbolizer symbolizer;
  std::deque<ProcessSymbols> processes;
  for (std::uint32_t i = 0; i < Symbolizer::kProcesses; ++i) {
    processes.emplace_back(symbolizer, kNobody + i).symbol(0x1000);
  }
  processes[0].symbol(0x1000);
  ProcessSymbols& one_more = processes.emplace_back(symbolizer, kNobody + Symbolizer::kProcesses);
  EXPECT_FALSE(one_more.known());
  one_more.symbol(0x1000);
  EXPECT_TRUE(processes[0].known());
  EXPECT_FALSE(processes[1].known());
  EXPECT_TRUE(processes[2].known());
  EXPECT_TRUE(one_more.known());
}

TEST(Symbolizer, WhatEndsMakesRoom) {
  Symbolizer symbolizer;
  ProcessSymbols first(symbolizer, kNobody);
  first.symbol(0x1000);
  for (std::uint32_t i = 0; i < Symbolizer::kProcesses; ++i) ProcessSymbols(symbolizer, kNobody + 1).symbol(0x1000);
  EXPECT_TRUE(first.known());
}

}  // namespace
}  // namespace madvtrace
