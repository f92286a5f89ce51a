// SPDX-License-Identifier: Apache-2.0
#include "tests/live/pressure_group.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/unique_fd.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {

int write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

PressureGroup::PressureGroup() {
  const std::string unified = "/sys/fs/cgroup/cgroup.controllers";
  version2_ = test::read_all(unified).find("memory") != std::string::npos;
  if (version2_) write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
  path_ =
      std::string("/sys/fs/cgroup/") + (version2_ ? "" : "memory/") + "madvtrace-test-" + std::to_string(::getpid());
  made_ = ::mkdir(path_.c_str(), 0755) == 0;
  if (!made_) why_not_ = path_ + ": " + std::strerror(errno);
}

PressureGroup::~PressureGroup() {
  if (made_ && ::rmdir(path_.c_str()) != 0) ADD_FAILURE() << "rmdir " << path_ << ": " << std::strerror(errno);
}

std::int64_t PressureGroup::usage_bytes() const {
  return std::atoll(test::read_all(path_ + (version2_ ? "/memory.current" : "/memory.usage_in_bytes")).c_str());
}

void PressureGroup::take_all() const {
  if (!version2_) {
    EXPECT_EQ(write_file(path_ + "/memory.force_empty", "0"), 0);
  } else {
    reclaim(usage_bytes());
  }
}

void PressureGroup::take(std::int64_t bytes) const {
  if (!version2_) {
    EXPECT_EQ(write_file(path_ + "/memory.limit_in_bytes", std::to_string(usage_bytes() - bytes)), 0);
  } else {
    reclaim(bytes);
  }
}

void PressureGroup::reclaim(std::int64_t bytes) const {
  const int error = write_file(path_ + "/memory.reclaim", std::to_string(bytes));
  // EAGAIN: it got less than was asked for.
  EXPECT_TRUE(error == 0 || error == EAGAIN) << std::strerror(error);
}

}  // namespace madvtrace
