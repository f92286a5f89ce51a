// SPDX-License-Identifier: Apache-2.0
// Directories and small files that look like a machine's /proc, /sys/fs/cgroup and
// /run, out of a text that can be read:
//
//   /sys/fs/cgroup/memory/docker/        a directory
//   /proc/12/cgroup                      a file, with the lines that follow
//   | 4:memory:/docker
//
// Parents are made as they are needed. What stands there already is written over.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "procfs/text.h"
#include "tests/support/temp_directory.h"

namespace madvtrace::test {

class FileTree {
 public:
  FileTree() = default;
  explicit FileTree(std::string_view text) { add(text); }

  void add(std::string_view text) {
    std::string file;
    std::string lines;
    while (!text.empty()) {
      const std::string_view line = take_until(text, '\n');
      if (line.starts_with("| ") || line == "|") {
        if (file.empty()) throw std::runtime_error("a line of no file: " + std::string(line));
        lines += std::string(line.substr(std::min<std::size_t>(line.size(), 2))) + "\n";
        write_all(file, lines);
      } else if (line.starts_with('/')) {
        file = directory_.path() + std::string(line);
        lines.clear();
        const bool is_directory = file.ends_with('/');
        std::filesystem::create_directories(is_directory ? file : std::filesystem::path(file).parent_path().string());
        if (is_directory) {
          file.clear();
        } else {
          write_all(file, "");
        }
      } else if (!line.empty()) {
        throw std::runtime_error("neither a path nor a line of a file: " + std::string(line));
      }
    }
  }
  void remove(std::string_view path) { std::filesystem::remove_all(*this / path); }

  std::string root() const { return directory_.path(); }
  // "/proc" of the tree.
  std::string operator/(std::string_view path) const { return directory_.path() + std::string(path); }

 private:
  TempDirectory directory_;
};

}  // namespace madvtrace::test
