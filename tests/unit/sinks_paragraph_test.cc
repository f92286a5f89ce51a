// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "sinks/paragraph.h"

namespace madvtrace {
namespace {

TEST(Paragraph, BreaksBetweenWords) {
  const std::string word39(39, 'a');
  EXPECT_EQ(paragraph(""), "");
  EXPECT_EQ(paragraph("   "), "");
  EXPECT_EQ(paragraph("one  two "), "  one two\n");
  // 2 + 38 + 1 + 39 are 80 columns, one more is too many.
  const std::string word38(38, 'b');
  EXPECT_EQ(paragraph(word38 + " " + word39), "  " + word38 + " " + word39 + "\n");
  EXPECT_EQ(paragraph(word39 + " " + word39), "  " + word39 + "\n  " + word39 + "\n");
}

TEST(Paragraph, ALongWordStandsAlone) {
  const std::string word(200, 'x');
  EXPECT_EQ(paragraph("a " + word + " b"), "  a\n  " + word + "\n  b\n");
}

}  // namespace
}  // namespace madvtrace
