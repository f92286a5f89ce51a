// SPDX-License-Identifier: Apache-2.0
#include "golang/file_bytes.h"

#include <unistd.h>

#include <cerrno>

namespace madvtrace {

std::vector<std::byte> read_file_bytes(int fd, std::uint64_t offset, std::size_t bytes) {
  std::vector<std::byte> read;
  // Also keeps offset + bytes from wrapping.
  if (offset > INT64_MAX || bytes > INT64_MAX - offset) return read;
  read.resize(bytes);
  std::size_t have = 0;
  while (have < bytes) {
    const ssize_t got = ::pread(fd, read.data() + have, bytes - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  read.resize(have);
  return read;
}

}  // namespace madvtrace
