// SPDX-License-Identifier: Apache-2.0
// For each page of one address space: which release it is watched for, if any. Two
// levels like the kernel's own tables: an array of 512 for each 2 MiB that has a
// watched page, so that memory is bounded by the address space watched (4 bytes a
// page: 64 GiB take 64 MiB) whatever is done to it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "base/page_range.h"
#include "model/event.h"

namespace madvtrace {

class PageTable {
 public:
  using Slot = std::uint32_t;  // of a release; 0: not watched
  struct Chunk {
    std::array<Slot, kChunkPages> slots{};
    std::uint32_t watched = 0;
    std::uint64_t changed_ns = 0;  // when a call last changed a page of it
    std::uint64_t looked_ns = 0;   // when its watched pages were last seen in RSS
  };
  using Chunks = std::map<std::uint64_t, std::unique_ptr<Chunk>>;  // by address

  Chunk* find(std::uint64_t chunk_addr);
  Chunk& make(std::uint64_t chunk_addr);
  // `chunk`: the one of that address.
  void drop_if_empty(std::uint64_t chunk_addr, const Chunk& chunk);

  const Chunks& chunks() const { return chunks_; }

 private:
  Chunks chunks_;
};

constexpr std::uint64_t chunk_of(std::uint64_t address) { return address & ~(kChunkBytes - 1); }
constexpr std::size_t page_in_chunk(std::uint64_t address) { return address % kChunkBytes / kPageBytes; }

}  // namespace madvtrace
