// SPDX-License-Identifier: Apache-2.0
// Reads a recording back. The file is anybody's: sizes are checked against limits
// and against what is there, a chunk whose CRC does not fit is left out and counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "stream/record_sink.h"

namespace madvtrace {

class RecordingReader {
 public:
  // Fails with kUsage for what is not a recording, or one of a newer version.
  static Result<RecordingReader> open(const std::string& path);
  static Result<RecordingReader> over(UniqueFd fd, const std::string& name);

  // All of it. Stops quietly where the file does: see truncated().
  Status drain(RecordSink& sink);

  bool truncated() const { return truncated_; }                     // ends inside a chunk
  std::uint64_t damaged_chunks() const { return damaged_chunks_; }  // left out
  std::uint64_t damaged_bytes() const { return damaged_bytes_; }    // of them, and of what cannot be told apart

 private:
  RecordingReader(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  // Bytes got, fewer only at the end of the file.
  Result<std::size_t> read_fully(std::byte* to, std::size_t bytes);
  void hand_over(RecordSink& sink);

  UniqueFd fd_;
  std::string name_;
  std::vector<std::byte> chunk_;
  bool truncated_ = false;
  std::uint64_t damaged_chunks_ = 0;
  std::uint64_t damaged_bytes_ = 0;
};

}  // namespace madvtrace
