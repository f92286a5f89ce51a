// SPDX-License-Identifier: Apache-2.0
// A file that grows by whole units (a CSV line, a chunk of a recording) and ends in
// a whole one whatever happens: units are buffered and written together, and when a
// write fails half-way (disk full) the half is cut off again.
//
// The first error stays: from then on everything is dropped. Only a SIGKILL in the
// middle of a write(2) can leave a partial unit behind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace madvtrace {

// What must not be cut in two.
enum class OutputUnit { kLine, kAppend };

class OutputFile {
 public:
  // Creates `path`, which must not exist (O_EXCL, O_NOFOLLOW, mode 0600), owned by
  // the user behind sudo if there is one.
  static Result<OutputFile> create(const std::string& path, OutputUnit unit);
  // Takes over a descriptor such as standard output; nothing is ever cut off there.
  static OutputFile over(UniqueFd fd, std::string name);

  // Adds one whole unit.
  void append(std::string_view unit);
  // Writes out what is buffered.
  void flush();

  bool failed() const { return error_ != 0; }
  int error() const { return error_; }  // errno of the first failure
  const std::string& name() const { return name_; }

 private:
  OutputFile(UniqueFd fd, std::string name, OutputUnit unit, bool regular)
      : fd_(std::move(fd)), name_(std::move(name)), unit_(unit), regular_(regular) {}
  void cut_to_whole_units(std::size_t got);

  UniqueFd fd_;
  std::string name_;
  OutputUnit unit_ = OutputUnit::kLine;
  bool regular_ = false;
  std::string buffer_;
  std::uint64_t whole_bytes_ = 0;  // written so far, in whole units
  int error_ = 0;
};

// Makes `path` if it does not exist; it must be an empty directory then.
Status make_output_directory(const std::string& path);

}  // namespace madvtrace
