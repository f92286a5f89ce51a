// SPDX-License-Identifier: Apache-2.0
// Writes the stream to a recording (stream/recording_format.h), a chunk at a time.
#pragma once

#include <cstdint>
#include <string>

#include "base/output_file.h"
#include "base/result.h"
#include "stream/record_sink.h"

namespace madvtrace {

class RecordingWriter : public RecordSink {
 public:
  static Result<RecordingWriter> create(const std::string& path);
  RecordingWriter(RecordingWriter&&) noexcept = default;
  RecordingWriter& operator=(RecordingWriter&&) noexcept = default;

  // What is not exactly one record is written as the loss that it is.
  void on_record(RecordBytes record) override;
  // Writes the chunk under way, if there is anything in it.
  void flush();

  const OutputFile& file() const { return file_; }

 private:
  explicit RecordingWriter(OutputFile file) : file_(std::move(file)) {}

  OutputFile file_;
  std::string chunk_;
  std::uint32_t records_ = 0;
};

}  // namespace madvtrace
