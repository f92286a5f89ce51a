// SPDX-License-Identifier: Apache-2.0
// Directories of cgroupfs and of container runtimes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace madvtrace {

// Symbolic links are followed.
bool is_directory(const std::string& path);

// The names of the directories in `path`, at most `limit`; links are left out, "." and
// ".." too. In the order of their names, so that what is said of them is the same every
// time. Empty if `path` cannot be read; then `error` is its errno.
struct Directories {
  std::vector<std::string> names;
  int error = 0;
};
Directories list_directories(const std::string& path, std::size_t limit);

}  // namespace madvtrace
