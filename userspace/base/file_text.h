// SPDX-License-Identifier: Apache-2.0
// The text of a small file, read whole or up to a limit: files of the kernel and of
// other programs can be of any size, and may be cut while they are read.
#pragma once

#include <cstddef>
#include <string>
#include <tl/expected.hpp>

namespace madvtrace {

struct FileText {
  std::string text;
  bool truncated = false;  // the file goes on after the limit
};

// At most the first limit_bytes of an open file. Of a file that the kernel generates
// piece by piece the pieces need not be of one moment. The error is an errno.
tl::expected<FileText, int> read_text(int fd, std::size_t limit_bytes);

// The same of `path`, relative to the open directory `directory_fd` (or AT_FDCWD).
// EINVAL for what is not a regular file: a pipe could make us wait for ever.
tl::expected<FileText, int> read_text_at(int directory_fd, const std::string& path, std::size_t limit_bytes);

}  // namespace madvtrace
