// SPDX-License-Identifier: Apache-2.0
#include "tests/support/control_group.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/unique_fd.h"

namespace madvtrace {
namespace {

Status write_to(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) {
    return fail(errno_text("cannot write " + text + " to " + path, errno));
  }
  return {};
}

}  // namespace

Result<ControlGroup> ControlGroup::make(const std::string& parent, const std::string& name) {
  const std::string directory = parent + "/" + name + "-" + std::to_string(::getpid());
  struct stat status {};
  if (::mkdir(directory.c_str(), 0755) != 0 || ::stat(directory.c_str(), &status) != 0) {
    return fail(errno_text("cannot make " + directory, errno));
  }
  return ControlGroup(directory, status.st_ino);
}

ControlGroup::ControlGroup(ControlGroup&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), id_(other.id_) {}

ControlGroup::~ControlGroup() {
  if (const Status removed = remove(); !removed) ADD_FAILURE() << removed.error().message;
}

Status ControlGroup::write(const std::string& file, const std::string& text) const {
  return write_to(directory_ + "/" + file, text);
}

Status ControlGroup::remove() {
  if (directory_.empty()) return {};
  const std::string directory = std::exchange(directory_, {});
  // A process that has been waited for may leave its group a moment later.
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (::rmdir(directory.c_str()) == 0) return {};
    if (errno != EBUSY) break;
    ::usleep(10'000);
  }
  return fail(errno_text("cannot remove " + directory, errno));
}

Status move_to_group(pid_t pid, const std::string& directory) {
  return write_to(directory + "/cgroup.procs", std::to_string(pid));
}

}  // namespace madvtrace
