// SPDX-License-Identifier: Apache-2.0
#include "model/page_table.h"

namespace madvtrace {

PageTable::Chunk* PageTable::find(std::uint64_t chunk_addr) {
  const auto found = chunks_.find(chunk_addr);
  return found == chunks_.end() ? nullptr : found->second.get();
}

PageTable::Chunk& PageTable::make(std::uint64_t chunk_addr) {
  std::unique_ptr<Chunk>& chunk = chunks_[chunk_addr];
  if (!chunk) chunk = std::make_unique<Chunk>();
  return *chunk;
}

void PageTable::drop_if_empty(std::uint64_t chunk_addr, const Chunk& chunk) {
  if (chunk.kept == 0) chunks_.erase(chunk_addr);
}

std::vector<std::uint64_t> PageTable::chunks() const {
  std::vector<std::uint64_t> addresses;
  addresses.reserve(chunks_.size());
  for (const auto& [chunk_addr, chunk] : chunks_) addresses.push_back(chunk_addr);
  return addresses;
}

}  // namespace madvtrace
