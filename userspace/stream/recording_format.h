// SPDX-License-Identifier: Apache-2.0
// A recording as bytes; docs/recording-format.md says it in prose.
//
//   file header, then chunks: chunk header, then records back to back
//
// Little-endian. A chunk is written whole and carries its CRC-32, so that a torn end
// or a damaged middle is noticed and what follows can still be used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace madvtrace {

inline constexpr std::array<char, 8> kRecordingMagic{'M', 'A', 'D', 'V', 'R', 'E', 'C', '\n'};
inline constexpr std::uint32_t kRecordingVersion = 1;
inline constexpr std::uint32_t kChunkMagic = 0x4b4e4843;  // "CHNK"
inline constexpr std::size_t kLargestChunkBytes = std::size_t{4} << 20;

struct RecordingHeader {
  std::array<char, 8> magic;
  std::uint32_t version;       // of this format
  std::uint32_t wire_version;  // of the records inside
  std::uint64_t reserved;
};
static_assert(sizeof(RecordingHeader) == 24);

struct ChunkHeader {
  std::uint32_t magic;
  std::uint32_t bytes;  // of records that follow
  std::uint32_t crc32;  // of them
  std::uint32_t records;
};
static_assert(sizeof(ChunkHeader) == 16);

}  // namespace madvtrace
