// SPDX-License-Identifier: Apache-2.0
#include "golang/pointer_scan.h"

#include <algorithm>

#include "golang/little_endian.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1024} * 1024;
constexpr std::uint64_t kOverlapBytes = 16;

}  // namespace

bool each_piece(const ElfImage& image, const std::function<bool(const ElfSegment&)>& which,
                const std::function<bool(std::uint64_t, std::span<const std::byte>)>& look) {
  std::uint64_t left_bytes = kScanLimitBytes;
  for (const ElfSegment& segment : image.segments()) {
    if (!which(segment)) continue;
    const std::uint64_t bytes = segment.addresses.bytes();
    for (std::uint64_t at = 0; at < bytes; at += kPieceBytes) {
      const std::uint64_t from = at == 0 ? 0 : at - kOverlapBytes;
      const std::uint64_t to = std::min(at + kPieceBytes, bytes);
      if (to - from > left_bytes) return false;
      left_bytes -= to - from;
      const auto piece = image.read(segment.addresses.begin + from, static_cast<std::size_t>(to - from));
      if (!look(segment.addresses.begin + from, piece) || piece.size() < to - from) return false;
    }
  }
  return true;
}

Pointers find_pointers(const ElfImage& image, std::size_t limit, const std::function<bool(std::uint64_t)>& wanted) {
  Pointers found;
  const auto note = [&](std::uint64_t address, std::uint64_t value) {
    if (!wanted(value)) return;
    if (found.places.size() == limit) found.all = false;
    if (found.places.size() < limit) found.places.push_back(address);
  };
  image.each_relocation(note);
  const bool seen = each_piece(
      image, [](const ElfSegment& segment) { return segment.writable; },
      [&](std::uint64_t address, std::span<const std::byte> bytes) {
        // Pointers are aligned by address, not by where the segment happens to begin.
        for (std::uint64_t at = (8 - address % 8) % 8; const auto value = load<std::uint64_t>(bytes, at); at += 8) {
          note(address + at, *value);
        }
        return found.all;
      });
  found.all = found.all && seen;
  std::sort(found.places.begin(), found.places.end());
  found.places.erase(std::unique(found.places.begin(), found.places.end()), found.places.end());
  return found;
}

}  // namespace madvtrace
