// SPDX-License-Identifier: Apache-2.0
#include "base/output_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

namespace madvtrace {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

std::optional<unsigned> id_from_environment(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  unsigned id = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), id);
  if (error != std::errc{} || *end != '\0') return std::nullopt;
  return id;
}

// The output of `sudo madvtrace` belongs to whoever typed it. Failing is no error:
// root can still hand the files over.
void give_to_sudo_user(int fd) {
  if (::geteuid() != 0) return;
  const auto uid = id_from_environment("SUDO_UID");
  const auto gid = id_from_environment("SUDO_GID");
  if (uid && gid && ::fchown(fd, *uid, *gid) != 0) return;
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path, OutputUnit unit) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) {
    const int error = errno;
    const std::string advice = error == EEXIST ? "; name one that does not exist yet" : "";
    return fail(ExitCode::kUsage, errno_text("cannot create " + path, error) + advice);
  }
  give_to_sudo_user(fd.get());
  return OutputFile(std::move(fd), path, unit, true);
}

OutputFile OutputFile::over(UniqueFd fd, std::string name) {
  return {std::move(fd), std::move(name), OutputUnit::kLine, false};
}

void OutputFile::append(std::string_view unit) {
  if (failed()) return;
  buffer_ += unit;
  // Appends that must stay whole go out one by one: then a failed write began with one.
  if (unit_ == OutputUnit::kAppend || buffer_.size() >= kBufferBytes) flush();
}

void OutputFile::flush() {
  std::string_view left = buffer_;
  while (!left.empty() && !failed()) {
    const ssize_t written = ::write(fd_.get(), left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  if (failed()) {
    cut_to_whole_units(buffer_.size() - left.size());
  } else {
    whole_bytes_ += buffer_.size();
  }
  buffer_.clear();
}

void OutputFile::cut_to_whole_units(std::size_t got) {
  if (unit_ == OutputUnit::kLine) {
    const std::size_t line_end = std::string_view(buffer_).substr(0, got).rfind('\n');
    if (line_end != std::string_view::npos) whole_bytes_ += line_end + 1;
  }
  // If even this fails nothing is left to try; the first error is the one to report.
  if (regular_ && ::ftruncate(fd_.get(), static_cast<off_t>(whole_bytes_)) != 0) return;
}

Status make_output_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd) give_to_sudo_user(fd.get());
    return {};
  }
  if (errno != EEXIST) return fail(ExitCode::kUsage, errno_text("cannot create the output directory " + path, errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) return fail(ExitCode::kUsage, errno_text("cannot use the output directory " + path, errno));
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      return fail(ExitCode::kUsage, "the output directory " + path + " is not empty; name a new or an empty one");
    }
  }
  if (::access(path.c_str(), W_OK) != 0) {
    return fail(ExitCode::kUsage, errno_text("cannot write to the output directory " + path, errno));
  }
  return {};
}

}  // namespace madvtrace
