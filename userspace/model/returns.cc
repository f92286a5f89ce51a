// SPDX-License-Identifier: Apache-2.0
#include "model/returns.h"

#include <algorithm>

#include "base/arithmetic.h"

namespace madvtrace {
namespace {

bool has(const PageBits& pages, std::size_t page) { return (pages[page / 64] >> (page % 64) & 1U) != 0; }

void add_part(ReturnTotals::Part& sum, const ReturnTotals::Part& part) {
  sum.bytes += part.bytes;
  sum.faults += part.faults;
}

}  // namespace

void ReturnTotals::add(const ReturnTotals& other) {
  left_bytes += other.left_bytes;
  add_part(returned, other.returned);
  collapsed_bytes += other.collapsed_bytes;
  for (std::size_t i = 0; i < within.size(); ++i) add_part(within.at(i), other.within.at(i));
  delays.add(other.delays);
}

void Returns::on_left(Slot slot, std::uint64_t chunk_addr, const PageBits& pages, bool all_left,
                      std::uint64_t mono_ns) {
  if (std::all_of(pages.begin(), pages.end(), [](auto word) { return word == 0; })) return;
  Chunk& chunk = pages_.make(chunk_addr);
  std::uint32_t left = 0;
  for (std::size_t page = 0; page < kChunkPages; ++page) {
    if (!has(pages, page)) continue;
    // Somebody has touched it without our hearing of it: it was resident again.
    if (chunk.slots[page] != 0) take_out(chunk, page);
    chunk.slots[page] = slot;
    ++left;
  }
  chunk.kept += left;
  chunk.changed_ns = std::max(chunk.changed_ns, mono_ns);
  chunk.has_small_pages = false;
  Release& release = releases_[slot];
  release.all_left = release.all_left && all_left;
  release.awaited_pages += left;
  totals_.left_bytes += left * kPageBytes;
}

void Returns::take_out(Chunk& chunk, std::size_t page) {
  const Slot slot = chunk.slots[page];
  chunk.slots[page] = 0;
  --chunk.kept;
  --releases_[slot].awaited_pages;
  releases_.give_out_if_over(slot);
}

void Returns::came_back(Slot slot, const Came& came) {
  const Release& release = releases_[slot];
  const std::uint64_t delay_max_ns = since(release.row.released_mono_ns, came.to_ns);
  releases_.close(slot, {.fate = Fate::kRefaulted,
                         .by = came.by,
                         .quality = came.quality,
                         .pages = 1,
                         .delay_min_ns = since(release.last_mono_ns, came.from_ns),
                         .delay_max_ns = delay_max_ns});
  const ReturnTotals::Part part{.bytes = kPageBytes, .faults = came.by_fault ? 1U : 0U};
  add_part(totals_.returned, part);
  if (came.by == Reclaimer::kKhugepaged) totals_.collapsed_bytes += kPageBytes;
  for (std::size_t i = 0; i < totals_.within.size(); ++i) {
    if (delay_max_ns <= ReturnTotals::kWithinNs.at(i)) add_part(totals_.within.at(i), part);
  }
  totals_.delays.add(DelayCurve::Outcome::kLeft, delay_max_ns, kPageBytes);
}

bool Returns::on_refault(const Refault& refault, Quality quality) {
  const std::uint64_t chunk_addr = chunk_of(refault.addr);
  Chunk* const chunk = pages_.find(chunk_addr);
  if (chunk == nullptr) return false;
  const std::size_t page = page_in_chunk(refault.addr);
  const Slot slot = chunk->slots[page];
  if (slot == 0) return false;
  // Only paging out puts into swap: otherwise it had come back before, unnoticed.
  const bool now = !refault.swapped || !releases_[slot].all_left;
  came_back(slot, {.from_ns = now ? refault.stamp.mono_ns : chunk->looked_ns,
                   .to_ns = refault.stamp.mono_ns,
                   .quality = std::max(quality, now ? Quality::kExact : Quality::kBounded),
                   .by_fault = true});
  take_out(*chunk, page);
  pages_.drop_if_empty(chunk_addr, *chunk);
  return true;
}

void Returns::on_found_resident(std::uint64_t chunk_addr, const PageBits& pages, std::uint64_t mono_ns) {
  Chunk* const chunk = pages_.find(chunk_addr);
  if (chunk == nullptr) return;
  for (std::size_t page = 0; page < kChunkPages; ++page) {
    const Slot slot = chunk->slots[page];
    if (slot == 0 || !has(pages, page)) continue;
    if (releases_[slot].all_left) {
      came_back(slot, {.from_ns = chunk->looked_ns, .to_ns = mono_ns, .quality = Quality::kBounded});
    }
    take_out(*chunk, page);
  }
  pages_.drop_if_empty(chunk_addr, *chunk);
}

void Returns::on_unmapped(const AddressRange& range) {
  pages_.visit(range, [&](std::uint64_t, Chunk& chunk, std::size_t first, std::size_t end) {
    for (std::size_t page = first; page < end; ++page) {
      if (chunk.slots[page] != 0) take_out(chunk, page);
    }
    chunk.has_small_pages = false;
  });
}

void Returns::on_look(const Pages& look) {
  Chunk* const chunk = pages_.find(look.chunk_addr);
  if (chunk == nullptr || chunk->changed_ns >= look.begin_ns) return;
  // Where there is a page table, no fault makes a huge page: that is khugepaged's doing.
  const bool collapsed = look.huge && chunk->has_small_pages;
  const std::size_t end = std::min<std::size_t>(std::size_t{look.first_page} + look.pages, kChunkPages);
  for (std::size_t page = look.first_page; page < end; ++page) {
    const Slot slot = chunk->slots[page];
    if (slot == 0 || !look.resident(page) || !releases_[slot].all_left) continue;
    came_back(slot, {.from_ns = chunk->looked_ns,
                     .to_ns = look.stamp.mono_ns,
                     .quality = Quality::kBounded,
                     .by = collapsed ? std::optional(Reclaimer::kKhugepaged) : std::nullopt});
    take_out(*chunk, page);
  }
  if (look.pages == kChunkPages) {
    chunk->looked_ns = look.begin_ns;
    chunk->has_small_pages = !look.huge && std::any_of(look.resident_bits.begin(), look.resident_bits.end(),
                                                       [](auto word) { return word != 0; });
  }
  pages_.drop_if_empty(look.chunk_addr, *chunk);
}

void Returns::end() {
  pages_.visit_all([&](std::uint64_t, Chunk& chunk, std::size_t first, std::size_t end) {
    for (std::size_t page = first; page < end; ++page) {
      if (chunk.slots[page] != 0) take_out(chunk, page);
    }
  });
}

}  // namespace madvtrace
