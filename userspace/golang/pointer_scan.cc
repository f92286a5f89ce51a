// SPDX-License-Identifier: Apache-2.0
#include "golang/pointer_scan.h"

#include <algorithm>

#include "golang/little_endian.h"

namespace madvtrace {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1024} * 1024;
constexpr std::size_t kOverlapBytes = 16;

}  // namespace

void each_piece(const ElfImage& image, const ElfSegment& segment, std::uint64_t limit_bytes,
                const std::function<bool(std::uint64_t, std::span<const std::byte>)>& look) {
  const std::uint64_t bytes = std::min(segment.addresses.bytes(), limit_bytes);
  for (std::uint64_t at = 0; at < bytes; at += kPieceBytes) {
    const std::uint64_t from = at == 0 ? 0 : at - kOverlapBytes;
    const std::uint64_t to = std::min(at + kPieceBytes, bytes);
    const auto piece = image.read(segment.addresses.begin + from, static_cast<std::size_t>(to - from));
    if (!look(segment.addresses.begin + from, piece) || piece.size() < to - from) return;
  }
}

std::vector<std::uint64_t> find_pointers(const ElfImage& image, std::size_t limit,
                                         const std::function<bool(std::uint64_t)>& wanted) {
  std::vector<std::uint64_t> places;
  const auto note = [&](std::uint64_t address, std::uint64_t value) {
    if (places.size() < limit && wanted(value)) places.push_back(address);
  };
  image.each_relocation(note);
  std::uint64_t left_bytes = kScanLimitBytes;
  for (const bool writable : {true, false}) {
    for (const ElfSegment& segment : image.segments()) {
      if (segment.writable != writable || segment.executable) continue;
      each_piece(image, segment, left_bytes, [&](std::uint64_t address, std::span<const std::byte> bytes) {
        // Pointers are aligned by address, not by where the segment happens to begin.
        for (std::uint64_t at = (8 - address % 8) % 8; const auto value = load<std::uint64_t>(bytes, at); at += 8) {
          note(address + at, *value);
        }
        return places.size() < limit;
      });
      left_bytes -= std::min(left_bytes, segment.addresses.bytes());
    }
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

}  // namespace madvtrace
