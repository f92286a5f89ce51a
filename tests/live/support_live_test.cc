// SPDX-License-Identifier: Apache-2.0
// The harness itself: a reader that lets bad tables pass proves nothing.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/child_process.h"
#include "tests/support/csv_table.h"

namespace madvtrace {
namespace {

TEST(CsvTable, ReadsQuotedFields) {
  const Result<CsvTable> table = CsvTable::parse("a,b,c\n1,\"x,\"\"y\"\"\n\",0xff\n,,\n");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  ASSERT_EQ(table->size(), 2U);
  EXPECT_EQ(table->at(0, "b"), "x,\"y\"\n");
  EXPECT_EQ(table->number(0, "a"), 1);
  EXPECT_EQ(table->number(0, "c"), 255);
  EXPECT_EQ(table->number(1, "a"), std::nullopt);
  EXPECT_EQ(table->rows_where("a", "1"), std::vector<std::size_t>{0});
}

TEST(CsvTable, RefusesWhatIsNotOne) {
  for (const char* text : {"", "a,b", "a,b\n1,2", "a,b\n1\n", "a,b\n1,2,3\n", "a,b\n1,\"2\n", "a,b\n1,\"2\"3\n",
                           "a,b\n1,2\"3\n", "a,b\r\n1,2\r\n", "a,a\n1,2\n"}) {
    EXPECT_FALSE(CsvTable::parse(text).has_value()) << text;
  }
}

TEST(ChildProcess, TellsHowItEnded) {
  const auto exits = run_program({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}});
  ASSERT_TRUE(exits.has_value()) << exits.error().message;
  EXPECT_EQ(exits->exit_code, 3);
  EXPECT_EQ(exits->output, "out\n");
  EXPECT_EQ(exits->errors, "err\n");
  const auto killed = run_program({.argv = {"sh", "-c", "kill -9 $$"}});
  ASSERT_TRUE(killed.has_value()) << killed.error().message;
  EXPECT_EQ(killed->exit_code, 128 + 9);
}

TEST(ChildProcess, WaitsHaveADeadline) {
  const auto child = ChildProcess::spawn({.argv = {"cat"}});
  ASSERT_TRUE(child.has_value());
  EXPECT_FALSE((*child)->wait(std::chrono::milliseconds(20)).has_value());
  EXPECT_FALSE((*child)->read_line(std::chrono::milliseconds(20)).has_value());
}

}  // namespace
}  // namespace madvtrace
