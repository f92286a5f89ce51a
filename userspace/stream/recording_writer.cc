// SPDX-License-Identifier: Apache-2.0
#include "stream/recording_writer.h"

#include <zlib.h>

#include <cstring>
#include <span>

#include "base/losses.h"
#include "bpf/records.h"
#include "stream/collector_record.h"
#include "stream/decoder.h"
#include "stream/recording_format.h"

namespace madvtrace {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{256} << 10;

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

bool says_its_size(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return false;
  std::memcpy(&header, record.data(), sizeof(header));
  return header.size == record.size();
}

}  // namespace

Result<RecordingWriter> RecordingWriter::create(const std::string& path) {
  MADV_TAKE(OutputFile file, OutputFile::create(path, OutputUnit::kAppend));
  const RecordingHeader header{
      .magic = kRecordingMagic, .version = kRecordingVersion, .wire_version = WIRE_VERSION, .reserved = 0};
  file.append(bytes_of(header));
  if (file.failed()) return fail(errno_text("cannot write " + path, file.error()));
  return RecordingWriter(std::move(file));
}

void RecordingWriter::on_record(RecordBytes record) {
  if (!says_its_size(record)) {
    // Nothing behind it could be found again. Whoever reads counts the same as now.
    const LossCause cause = loss_cause(decode_record(record).error);
    const std::string loss = encode_record(Loss{.cause = loss_name(cause), .count = 1}, 0);
    return on_record(std::as_bytes(std::span(loss)));
  }
  chunk_.append(reinterpret_cast<const char*>(record.data()), record.size());
  ++records_;
  if (chunk_.size() >= kFlushBytes) flush();
}

void RecordingWriter::flush() {
  if (chunk_.empty()) return;
  const auto* const data = reinterpret_cast<const Bytef*>(chunk_.data());
  const auto size = static_cast<std::uint32_t>(chunk_.size());
  const ChunkHeader header{.magic = kChunkMagic,
                           .bytes = size,
                           .crc32 = static_cast<std::uint32_t>(::crc32(0, data, size)),
                           .records = records_};
  chunk_.insert(0, bytes_of(header));
  file_.append(chunk_);
  chunk_.clear();
  records_ = 0;
}

}  // namespace madvtrace
