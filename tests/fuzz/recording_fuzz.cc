// SPDX-License-Identifier: Apache-2.0
// Any bytes as a recording. A CRC-32 is nothing that a fuzzer finds by itself, so it
// is put right where a chunk is whole; one bit of each header decides whether.
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "model/trace.h"
#include "stream/decoder.h"
#include "stream/recording_format.h"
#include "stream/recording_reader.h"
#include "tests/support/no_rows.h"

namespace {

using madvtrace::ChunkHeader;
using madvtrace::RecordingHeader;

void mend_checksums(std::string& file) {
  for (std::size_t at = sizeof(RecordingHeader); at + sizeof(ChunkHeader) <= file.size();) {
    ChunkHeader header{};
    std::memcpy(&header, file.data() + at, sizeof(header));
    if (header.bytes > file.size() - at - sizeof(header)) return;
    const auto* const body = reinterpret_cast<const Bytef*>(file.data() + at + sizeof(header));
    if ((header.records & 1U) == 0) {
      header.crc32 = static_cast<std::uint32_t>(::crc32(0, body, header.bytes));
      std::memcpy(file.data() + at, &header, sizeof(header));
    }
    at += sizeof(header) + header.bytes;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  mend_checksums(file);
  madvtrace::UniqueFd fd(::memfd_create("recording", MFD_CLOEXEC));
  if (!fd || ::write(fd.get(), file.data(), file.size()) != static_cast<ssize_t>(file.size())) return 0;
  ::lseek(fd.get(), 0, SEEK_SET);
  auto reader = madvtrace::RecordingReader::over(std::move(fd), "recording");
  if (!reader) return 0;
  madvtrace::test::NoRows sink;
  madvtrace::Trace trace(sink);
  madvtrace::Decoder decoder({&trace});
  if (!reader->drain(decoder)) __builtin_trap();
  trace.finish();
  return 0;
}
