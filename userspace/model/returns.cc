// SPDX-License-Identifier: Apache-2.0
#include "model/returns.h"

#include <algorithm>

#include "base/arithmetic.h"
#include "model/page_table.h"

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

Returns::Slot Returns::slot_of(const ReleaseRow& release) {
  const auto [found, is_new] = by_id_.try_emplace(release.release_id, 0);
  if (!is_new) return found->second;
  if (free_slots_.empty()) {
    found->second = static_cast<Slot>(releases_.size());
    releases_.emplace_back();
  } else {
    found->second = free_slots_.back();
    free_slots_.pop_back();
  }
  return found->second;
}

void Returns::on_left(const ReleaseRow& release, std::uint64_t last_call_ns, const RowOrigin& origin,
                      std::uint64_t chunk_addr, const PageBits& pages, bool certain, std::uint64_t mono_ns) {
  if (!recording_ || std::all_of(pages.begin(), pages.end(), [](auto word) { return word == 0; })) return;
  Process& process = processes_[release.pid];
  std::unique_ptr<Chunk>& at = process.chunks[chunk_addr];
  if (!at) at = std::make_unique<Chunk>();
  Chunk& chunk = *at;
  const Slot slot = slot_of(release);
  std::uint32_t left = 0;
  for (std::size_t page = 0; page < kChunkPages; ++page) {
    if (!has(pages, page)) continue;
    // Somebody has touched it without our hearing of it: it was resident again.
    if (chunk.slots[page] != 0) take_out(chunk, page);
    chunk.slots[page] = slot;
    ++left;
  }
  chunk.absent += left;
  chunk.changed_ns = std::max(chunk.changed_ns, mono_ns);
  chunk.has_small_pages = false;
  Release& kept = releases_[slot];
  kept.row = release;
  kept.last_call_ns = last_call_ns;
  kept.origin = origin;
  kept.certain = kept.certain && certain;
  kept.absent_pages += left;
  process.totals.left_bytes += left * kPageBytes;
}

void Returns::on_release_over(const ReleaseRow& release) {
  const auto found = by_id_.find(release.release_id);
  if (found == by_id_.end()) return;
  Release& kept = releases_[found->second];
  kept.row = release;
  kept.over = true;
  give_out_if_over(found->second);
}

void Returns::take_out(Chunk& chunk, std::size_t page) {
  const Slot slot = chunk.slots[page];
  chunk.slots[page] = 0;
  --chunk.absent;
  --releases_[slot].absent_pages;
  give_out_if_over(slot);
}

void Returns::came_back(Process& process, Slot slot, const Came& came) {
  Release& release = releases_[slot];
  const Closing closing{.by = came.by,
                        .quality = came.quality,
                        .pages = 1,
                        .delay_min_ns = since(release.last_call_ns, came.from_ns),
                        .delay_max_ns = since(release.row.released_mono_ns, came.to_ns)};
  const auto alike = std::find_if(release.closings.begin(), release.closings.end(), [&](const Closing& other) {
    return other.by == closing.by && other.quality == closing.quality;
  });
  if (alike == release.closings.end()) {
    release.closings.push_back(closing);
  } else {
    ++alike->pages;
    alike->delay_min_ns = std::min(alike->delay_min_ns, closing.delay_min_ns);
    alike->delay_max_ns = std::max(alike->delay_max_ns, closing.delay_max_ns);
  }
  ReturnTotals& totals = process.totals;
  const ReturnTotals::Part part{.bytes = kPageBytes, .faults = came.by_fault ? 1U : 0U};
  add_part(totals.returned, part);
  if (came.by == Reclaimer::kKhugepaged) totals.collapsed_bytes += kPageBytes;
  for (std::size_t i = 0; i < totals.within.size(); ++i) {
    if (closing.delay_max_ns <= ReturnTotals::kWithinNs.at(i)) add_part(totals.within.at(i), part);
  }
  totals.delays.add(Fate::kFreed, closing.delay_max_ns, kPageBytes);
}

bool Returns::on_refault(const Refault& refault, Quality quality) {
  const auto process = processes_.find(refault.stamp.pid);
  if (process == processes_.end()) return false;
  const auto found = process->second.chunks.find(chunk_of(refault.addr));
  if (found == process->second.chunks.end()) return false;
  Chunk& chunk = *found->second;
  const std::size_t page = page_in_chunk(refault.addr);
  const Slot slot = chunk.slots[page];
  if (slot == 0) return false;
  // Only paging out puts into swap: otherwise it had come back before, unnoticed.
  const bool now = !refault.swapped || !releases_[slot].certain;
  came_back(process->second, slot,
            {.from_ns = now ? refault.stamp.mono_ns : chunk.looked_ns,
             .to_ns = refault.stamp.mono_ns,
             .quality = std::max(quality, now ? Quality::kExact : Quality::kBounded),
             .by_fault = true});
  take_out(chunk, page);
  if (chunk.absent == 0) process->second.chunks.erase(found);
  return true;
}

void Returns::on_found_resident(std::uint32_t pid, std::uint64_t chunk_addr, const PageBits& pages,
                                std::uint64_t mono_ns) {
  const auto process = processes_.find(pid);
  if (process == processes_.end()) return;
  const auto found = process->second.chunks.find(chunk_addr);
  if (found == process->second.chunks.end()) return;
  Chunk& chunk = *found->second;
  for (std::size_t page = 0; page < kChunkPages; ++page) {
    const Slot slot = chunk.slots[page];
    if (slot == 0 || !has(pages, page)) continue;
    if (releases_[slot].certain) {
      came_back(process->second, slot, {.from_ns = chunk.looked_ns, .to_ns = mono_ns, .quality = Quality::kBounded});
    }
    take_out(chunk, page);
  }
  if (chunk.absent == 0) process->second.chunks.erase(found);
}

void Returns::on_unmapped(std::uint32_t pid, const AddressRange& range) {
  const auto process = processes_.find(pid);
  if (process == processes_.end()) return;
  auto& chunks = process->second.chunks;
  for (auto at = chunks.lower_bound(chunk_of(range.begin)); at != chunks.end() && at->first < range.end;) {
    const AddressRange part = range.intersection({at->first, at->first + kChunkBytes});
    Chunk& chunk = *at->second;
    for (std::uint64_t address = part.begin; address < part.end; address += kPageBytes) {
      if (chunk.slots[page_in_chunk(address)] != 0) take_out(chunk, page_in_chunk(address));
    }
    chunk.has_small_pages = false;
    at = chunk.absent == 0 ? chunks.erase(at) : std::next(at);
  }
}

void Returns::on_look(const Pages& look, bool under_way) {
  const auto process = processes_.find(look.stamp.pid);
  if (process == processes_.end() || under_way) return;
  const auto found = process->second.chunks.find(look.chunk_addr);
  if (found == process->second.chunks.end() || found->second->changed_ns >= look.begin_ns) return;
  Chunk& chunk = *found->second;
  // Where there is a page table, no fault makes a huge page: that is khugepaged's doing.
  const bool collapsed = look.huge && chunk.has_small_pages;
  const std::size_t end = std::min<std::size_t>(std::size_t{look.first_page} + look.pages, kChunkPages);
  for (std::size_t page = look.first_page; page < end; ++page) {
    const Slot slot = chunk.slots[page];
    if (slot == 0 || !look.resident(page) || !releases_[slot].certain) continue;
    came_back(process->second, slot,
              {.from_ns = chunk.looked_ns,
               .to_ns = look.stamp.mono_ns,
               .quality = Quality::kBounded,
               .by = collapsed ? std::optional(Reclaimer::kKhugepaged) : std::nullopt});
    take_out(chunk, page);
  }
  if (look.pages == kChunkPages) {
    chunk.looked_ns = look.begin_ns;
    chunk.has_small_pages = !look.huge && std::any_of(look.resident_bits.begin(), look.resident_bits.end(),
                                                      [](auto word) { return word != 0; });
  }
  if (chunk.absent == 0) process->second.chunks.erase(found);
}

void Returns::give_out_if_over(Slot slot) {
  const Release& release = releases_[slot];
  if (release.over && release.absent_pages == 0) give_out(slot);
}

void Returns::give_out(Slot slot) {
  Release& release = releases_[slot];
  for (const Closing& closing : release.closings) {
    ReleaseRow row = release.row;
    row.fate = Fate::kRefaulted;
    row.bytes = closing.pages * kPageBytes;
    row.delay_min_ns = closing.delay_min_ns;
    row.delay_max_ns = closing.delay_max_ns;
    row.by = closing.by;
    row.quality = std::max(row.quality, closing.quality);
    sink_.on_release(row, release.origin);
  }
  by_id_.erase(release.row.release_id);
  release = Release{};
  free_slots_.push_back(slot);
}

void Returns::on_process_gone(std::uint32_t pid) {
  const auto process = processes_.find(pid);
  if (process == processes_.end()) return;
  for (const auto& [chunk_addr, chunk] : process->second.chunks) {
    for (std::size_t page = 0; page < kChunkPages; ++page) {
      if (chunk->slots[page] != 0) take_out(*chunk, page);
    }
  }
  sink_.on_returns(pid, process->second.totals);
  processes_.erase(process);
}

void Returns::finish() {
  while (!processes_.empty()) on_process_gone(processes_.begin()->first);
}

std::vector<std::uint64_t> Returns::chunks(std::uint32_t pid) const {
  std::vector<std::uint64_t> chunks;
  const auto process = processes_.find(pid);
  if (process == processes_.end()) return chunks;
  chunks.reserve(process->second.chunks.size());
  for (const auto& [chunk_addr, chunk] : process->second.chunks) chunks.push_back(chunk_addr);
  return chunks;
}

}  // namespace madvtrace
