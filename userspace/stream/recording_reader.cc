// SPDX-License-Identifier: Apache-2.0
#include "stream/recording_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

#include "bpf/records.h"
#include "stream/recording_format.h"

namespace madvtrace {

Result<RecordingReader> RecordingReader::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(ExitCode::kUsage, errno_text("cannot open the recording " + path, errno));
  return over(std::move(fd), path);
}

Result<RecordingReader> RecordingReader::over(UniqueFd fd, const std::string& name) {
  RecordingReader reader(std::move(fd), name);
  RecordingHeader header{};
  MADV_TAKE(const std::size_t got, reader.read_fully(reinterpret_cast<std::byte*>(&header), sizeof(header)));
  if (got != sizeof(header) || header.magic != kRecordingMagic) {
    return fail(ExitCode::kUsage, name + " is not a madvtrace recording (made with --record)");
  }
  if (header.version != kRecordingVersion || header.wire_version != WIRE_VERSION) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is a recording of version {}.{}, this madvtrace reads {}.{}: replay "
                            "it with the madvtrace that made it",
                            name, header.version, header.wire_version, kRecordingVersion, WIRE_VERSION));
  }
  return reader;
}

Result<std::size_t> RecordingReader::read_fully(std::byte* to, std::size_t bytes) {
  std::size_t got = 0;
  while (got < bytes) {
    const ssize_t part = ::read(fd_.get(), to + got, bytes - got);
    if (part == 0) break;
    if (part > 0) {
      got += static_cast<std::size_t>(part);
    } else if (errno != EINTR) {
      return fail(errno_text("cannot read " + name_, errno));
    }
  }
  return got;
}

void RecordingReader::hand_over(RecordSink& sink) {
  RecordBytes left = chunk_;
  while (left.size() >= sizeof(wire_header)) {
    wire_header header{};
    std::memcpy(&header, left.data(), sizeof(header));
    // The CRC fits, so this is how it was written; still nothing may loop or overrun.
    if (header.size < sizeof(header) || header.size > left.size()) break;
    sink.on_record(left.first(header.size));
    left = left.subspan(header.size);
  }
  if (!left.empty()) {
    ++damaged_chunks_;
    damaged_bytes_ += left.size();
  }
}

Status RecordingReader::drain(RecordSink& sink) {
  for (;;) {
    ChunkHeader header{};
    MADV_TAKE(const std::size_t got, read_fully(reinterpret_cast<std::byte*>(&header), sizeof(header)));
    if (got == 0) return {};
    if (got < sizeof(header)) {
      truncated_ = true;
      return {};
    }
    if (header.magic != kChunkMagic || header.bytes > kLargestChunkBytes) {
      // Where the next chunk would begin cannot be known any more.
      ++damaged_chunks_;
      truncated_ = true;
      return {};
    }
    chunk_.resize(header.bytes);
    MADV_TAKE(const std::size_t body, read_fully(chunk_.data(), chunk_.size()));
    if (body < chunk_.size()) {
      truncated_ = true;
      return {};
    }
    if (::crc32(0, reinterpret_cast<const Bytef*>(chunk_.data()), header.bytes) != header.crc32) {
      ++damaged_chunks_;
      damaged_bytes_ += chunk_.size();
      continue;
    }
    hand_over(sink);
  }
}

}  // namespace madvtrace
