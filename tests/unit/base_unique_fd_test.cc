// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>

#include <utility>

#include "base/unique_fd.h"

namespace madvtrace {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, ClosesWhatItOwns) {
  const int raw = open_null();
  {
    const UniqueFd fd(raw);
    ASSERT_TRUE(fd);
    EXPECT_EQ(fd.get(), raw);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(UniqueFd, OwnsNothingByDefault) {
  const UniqueFd fd;
  EXPECT_FALSE(fd);
  EXPECT_EQ(fd.get(), -1);
}

TEST(UniqueFd, MovesLeaveNothingBehind) {
  UniqueFd from(open_null());
  const int raw = from.get();
  UniqueFd to(std::move(from));
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(to.get(), raw);
  UniqueFd other(open_null());
  const int replaced = other.get();
  other = std::move(to);
  EXPECT_EQ(other.get(), raw);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(is_open(raw));
}

TEST(UniqueFd, ReleasesWithoutClosing) {
  UniqueFd fd(open_null());
  const int raw = fd.release();
  EXPECT_FALSE(fd);
  EXPECT_TRUE(is_open(raw));
  const UniqueFd again(raw);
}

TEST(UniqueFd, ResetClosesTheOldOne) {
  UniqueFd fd(open_null());
  const int raw = fd.get();
  fd.reset();
  EXPECT_FALSE(fd);
  EXPECT_FALSE(is_open(raw));
}

}  // namespace
}  // namespace madvtrace
