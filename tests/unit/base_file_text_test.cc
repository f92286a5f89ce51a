// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "base/file_text.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

TEST(FileText, IsReadUpToTheLimit) {
  const test::TempDirectory directory;
  const std::string text(200'000, 'x');
  test::write_all(directory / "file", text);
  const auto whole = read_text_at(AT_FDCWD, directory / "file", text.size());
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->text, text);
  EXPECT_FALSE(whole->truncated);
  const auto cut = read_text_at(AT_FDCWD, directory / "file", text.size() - 1);
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ(cut->text.size(), text.size() - 1);
  EXPECT_TRUE(cut->truncated);
}

TEST(FileText, OnlyRegularFilesAreRead) {
  const test::TempDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_text_at(AT_FDCWD, directory / "pipe", 1).error(), EINVAL);
  EXPECT_EQ(read_text_at(AT_FDCWD, directory.path(), 1).error(), EINVAL);
  EXPECT_EQ(read_text_at(AT_FDCWD, "/dev/zero", 1).error(), EINVAL);
  EXPECT_EQ(read_text_at(AT_FDCWD, directory / "none", 1).error(), ENOENT);
}

}  // namespace
}  // namespace madvtrace
