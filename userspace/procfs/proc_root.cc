// SPDX-License-Identifier: Apache-2.0
#include "procfs/proc_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <optional>
#include <utility>

#include "procfs/text.h"

namespace madvtrace {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string relative_path(pid_t pid, std::string_view name) { return fmt::format("{}/{}", pid, name); }

std::string_view reason_of(int error_number, std::string& storage) {
  storage = errno_text("", error_number);
  return std::string_view(storage).substr(2);
}

}  // namespace

Result<ProcRoot> ProcRoot::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) return ProcRoot(path, std::move(fd));
  const int error_number = errno;
  std::string storage;
  std::string message = fmt::format("cannot open {}: {}; it has to be a mounted proc file system", path,
                                    reason_of(error_number, storage));
  if (error_number != EACCES && error_number != EPERM) return fail(std::move(message));
  return fail({ExitCode::kUnsupported, std::move(message), Failure::kPermission});
}

Result<UniqueFd> ProcRoot::open_file(pid_t pid, std::string_view name) const {
  // O_NONBLOCK: a fixture tree, or a target's exe, must not make the tool wait.
  UniqueFd fd(::openat(fd_.get(), relative_path(pid, name).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return fail(error(pid, name, errno));
  return fd;
}

Result<FileText> ProcRoot::read_prefix(pid_t pid, std::string_view name, std::size_t limit_bytes) const {
  MADV_TAKE(const UniqueFd fd, open_file(pid, name));
  tl::expected<FileText, int> file = read_text(fd.get(), limit_bytes);
  if (!file) return fail(error(pid, name, file.error()));
  return std::move(*file);
}

Result<std::string> ProcRoot::read_file(pid_t pid, std::string_view name, std::size_t limit_bytes) const {
  MADV_TAKE(FileText file, read_prefix(pid, name, limit_bytes));
  if (file.truncated) {
    return fail(
        {.message = fmt::format("cannot read {}/{}/{}: it is larger than {} bytes", path_, pid, name, limit_bytes),
         .failure = Failure::kTooLarge});
  }
  return std::move(file.text);
}

Result<std::string> ProcRoot::read_link(pid_t pid, std::string_view name) const {
  // The kernel builds these names in one page; a longer one is ENAMETOOLONG.
  std::array<char, PATH_MAX + 1> target{};
  const ssize_t length = ::readlinkat(fd_.get(), relative_path(pid, name).c_str(), target.data(), target.size());
  if (length < 0) return fail(error(pid, name, errno));
  if (static_cast<std::size_t>(length) == target.size()) return fail(error(pid, name, ENAMETOOLONG));
  return std::string(target.data(), static_cast<std::size_t>(length));
}

Result<std::vector<pid_t>> ProcRoot::list_pids() const {
  UniqueFd fd(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail(error(0, "", errno));
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd.get()));
  if (!directory) return fail(error(0, "", errno));
  fd.release();
  std::vector<pid_t> pids;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view text = entry->d_name;
    const std::optional<pid_t> pid = parse_integer<pid_t>(text);
    if (pid && *pid > 0 && text.front() != '0') pids.push_back(*pid);
  }
  if (errno != 0) return fail(error(0, "", errno));
  std::sort(pids.begin(), pids.end());
  return pids;
}

Error ProcRoot::malformed(pid_t pid, std::string_view name, std::string_view reason) const {
  return {.message = fmt::format("cannot use {}/{}/{}: {}", path_, pid, name, reason), .failure = Failure::kMalformed};
}

Error ProcRoot::error(pid_t pid, std::string_view name, int error_number) const {
  const std::string what =
      pid == 0 ? fmt::format("cannot read {}", path_) : fmt::format("cannot read {}/{}/{}", path_, pid, name);
  std::string storage;
  Error failed;
  if (error_number == EACCES || error_number == EPERM) {
    failed.failure = Failure::kPermission;
    failed.code = ExitCode::kUnsupported;
    failed.message = fmt::format("{}: {}; run as root or with CAP_SYS_PTRACE", what, reason_of(error_number, storage));
  } else if (pid != 0 && (error_number == ENOENT || error_number == ESRCH)) {
    struct stat status {};
    if (::fstatat(fd_.get(), std::to_string(pid).c_str(), &status, 0) == 0) {
      failed.failure = Failure::kAbsent;
      failed.message = fmt::format("{}: process {} has none; is it a kernel thread or a zombie?", what, pid);
    } else {
      failed.failure = Failure::kGone;
      failed.message = fmt::format("{}: there is no process {} (any more)", what, pid);
    }
  } else {
    failed.message = fmt::format("{}: {}", what, reason_of(error_number, storage));
  }
  return failed;
}

}  // namespace madvtrace
