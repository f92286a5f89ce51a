// SPDX-License-Identifier: Apache-2.0
// pread into memory, for files that somebody else may be changing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace madvtrace {

// Up to `bytes` bytes at `offset`; fewer at the end of the file or where it cannot be
// read. Takes memory for `bytes` bytes: the caller sees to it that they are not too many.
std::vector<std::byte> read_file_bytes(int fd, std::uint64_t offset, std::size_t bytes);

}  // namespace madvtrace
