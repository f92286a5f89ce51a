// SPDX-License-Identifier: Apache-2.0
// A number for each page of one address space: which release it is kept for, if any. It has
// two levels like the kernel's own tables: an array of 512 for each 2 MiB that has a page
// kept, so that memory is bounded by the address space (4 bytes a page: 64 GiB take 64 MiB)
// whatever is done to it.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <vector>

#include "base/page_range.h"
#include "model/event.h"

namespace madvtrace {

constexpr std::uint64_t chunk_of(std::uint64_t address) { return address & ~(kChunkBytes - 1); }
constexpr std::size_t page_in_chunk(std::uint64_t address) { return address % kChunkBytes / kPageBytes; }

class PageTable {
 public:
  using Slot = std::uint32_t;  // of a release; 0: the page is kept for none
  struct Chunk {
    std::array<Slot, kChunkPages> slots{};
    std::uint32_t kept = 0;        // pages that have a slot
    bool has_small_pages = false;  // at looked_ns, and no call has changed that: no fault can make it a huge page
    std::uint64_t changed_ns = 0;  // when a call last changed a page of it
    std::uint64_t looked_ns = 0;   // when its pages were last seen to be what they are kept as
  };

  Chunk* find(std::uint64_t chunk_addr);
  Chunk& make(std::uint64_t chunk_addr);
  // `chunk`: the one of that address.
  void drop_if_empty(std::uint64_t chunk_addr, const Chunk& chunk);
  // Where pages are kept, in the order of addresses.
  std::vector<std::uint64_t> chunks() const;

  // `visit`(chunk_addr, chunk, first, end) is called for each chunk that the range touches,
  // with the numbers of the pages that it touches there. What it leaves empty is dropped.
  template <class Visit>
  void visit(const AddressRange& range, Visit visit) {
    for (auto at = chunks_.lower_bound(chunk_of(range.begin)); at != chunks_.end() && at->first < range.end;) {
      const AddressRange part = range.intersection({at->first, at->first + kChunkBytes});
      const std::size_t first = page_in_chunk(part.begin);
      visit(at->first, *at->second, first, first + part.bytes() / kPageBytes);
      at = next_dropping_empty(at);
    }
  }
  // The same for all chunks.
  template <class Visit>
  void visit_all(Visit visit) {
    for (auto at = chunks_.begin(); at != chunks_.end(); at = next_dropping_empty(at)) {
      visit(at->first, *at->second, std::size_t{0}, kChunkPages);
    }
  }

 private:
  using Chunks = std::map<std::uint64_t, std::unique_ptr<Chunk>>;  // by address

  Chunks::iterator next_dropping_empty(Chunks::iterator at) {
    return at->second->kept == 0 ? chunks_.erase(at) : std::next(at);
  }

  Chunks chunks_;
};

}  // namespace madvtrace
