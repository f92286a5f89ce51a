// SPDX-License-Identifier: Apache-2.0
// Where in a program's data a pointer stands, for what neither a section nor a symbol
// names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "golang/elf_image.h"

namespace madvtrace {

// A scan is over after this much of the file.
inline constexpr std::uint64_t kScanLimitBytes = std::uint64_t{256} * 1024 * 1024;

// The link-time addresses, ascending, of the aligned 8-byte words whose value `wanted`
// accepts, as of a load bias of 0. Looks at the relocations and at what is not
// executable, writable segments first; ends after `limit` places.
std::vector<std::uint64_t> find_pointers(const ElfImage& image, std::size_t limit,
                                         const std::function<bool(std::uint64_t value)>& wanted);

// Calls look(address, bytes) for what the file has of a segment, piece by piece, until it
// says false or `limit_bytes` have been seen. Each piece but the first begins 16 bytes
// before the end of the one before, so that nothing of up to 16 bytes is cut in two.
void each_piece(const ElfImage& image, const ElfSegment& segment, std::uint64_t limit_bytes,
                const std::function<bool(std::uint64_t address, std::span<const std::byte> bytes)>& look);

}  // namespace madvtrace
