// SPDX-License-Identifier: Apache-2.0
#include "base/file_text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace madvtrace {

tl::expected<FileText, int> read_text(int fd, std::size_t limit_bytes) {
  FileText file;
  constexpr std::size_t kChunkBytes = std::size_t{64} * 1024;
  std::size_t used_bytes = 0;
  // Reads on until 0, for the kernel returns short pieces of long files; and one byte
  // over the limit, to know whether there is more.
  while (used_bytes <= limit_bytes) {
    const std::size_t left_bytes = limit_bytes - used_bytes;
    const std::size_t wanted_bytes = left_bytes < kChunkBytes ? left_bytes + 1 : kChunkBytes;
    file.text.resize(used_bytes + wanted_bytes);
    const ssize_t got_bytes = ::read(fd, file.text.data() + used_bytes, wanted_bytes);
    if (got_bytes < 0 && errno == EINTR) continue;
    if (got_bytes < 0) return tl::unexpected(errno);
    if (got_bytes == 0) break;
    used_bytes += static_cast<std::size_t>(got_bytes);
  }
  file.truncated = used_bytes > limit_bytes;
  file.text.resize(std::min(used_bytes, limit_bytes));
  return file;
}

tl::expected<FileText, int> read_text_at(int directory_fd, const std::string& path, std::size_t limit_bytes) {
  const UniqueFd fd(::openat(directory_fd, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return tl::unexpected(errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return tl::unexpected(errno);
  if (!S_ISREG(status.st_mode)) return tl::unexpected(EINVAL);
  return read_text(fd.get(), limit_bytes);
}

}  // namespace madvtrace
