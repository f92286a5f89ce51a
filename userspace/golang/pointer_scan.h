// SPDX-License-Identifier: Apache-2.0
// Looks through the segments of a program for what neither a section nor a symbol names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "golang/elf_image.h"

namespace madvtrace {

// Of one scan, whatever the segments say.
inline constexpr std::uint64_t kScanLimitBytes = std::uint64_t{256} * 1024 * 1024;

// Calls look(address, bytes) for what the file has of the segments that `which` accepts,
// piece by piece, until look says false. Within a segment each piece but the first begins
// with the last 16 bytes of the one before, so that nothing of up to 16 bytes is cut in
// two. True if look saw all there is.
bool each_piece(const ElfImage& image, const std::function<bool(const ElfSegment&)>& which,
                const std::function<bool(std::uint64_t address, std::span<const std::byte> bytes)>& look);

struct Pointers {
  std::vector<std::uint64_t> places;  // link-time addresses, ascending
  bool all = true;                    // nothing was left out: neither by `limit` nor unseen
};

// The aligned 8-byte words of data that can be written (or could, before relocations were
// done: RELRO) whose value `wanted` accepts, as of a load bias of 0. Every variable of Go's
// runtime is there.
Pointers find_pointers(const ElfImage& image, std::size_t limit,
                       const std::function<bool(std::uint64_t value)>& wanted);

}  // namespace madvtrace
