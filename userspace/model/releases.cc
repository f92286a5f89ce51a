// SPDX-License-Identifier: Apache-2.0
#include "model/releases.h"

#include <algorithm>

namespace madvtrace {

Releases::Slot Releases::add() {
  Slot slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<Slot>(releases_.size());
    releases_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  releases_[slot].row.release_id = ++context_.last_release_id;
  return slot;
}

void Releases::close(Slot slot, const Closing& closing) {
  std::vector<Closing>& closings = releases_[slot].closings;
  const auto alike = std::find_if(closings.begin(), closings.end(), [&](const Closing& other) {
    return other.fate == closing.fate && other.by == closing.by && other.quality == closing.quality;
  });
  if (alike == closings.end()) {
    closings.push_back(closing);
    return;
  }
  alike->pages += closing.pages;
  alike->span.end = std::max(alike->span.end, closing.span.end);
  alike->by_at_most.by += closing.by_at_most.by;
  alike->by_at_most.others += closing.by_at_most.others;
  alike->delay_min_ns = std::min(alike->delay_min_ns, closing.delay_min_ns);
  alike->delay_max_ns = std::max(alike->delay_max_ns, closing.delay_max_ns);
}

void Releases::close_at_once(Slot slot, const Closing& closing) {
  give_out(releases_[slot], closing, closing.pages, closing.by);
}

void Releases::give_out_if_over(Slot slot) {
  Release& release = releases_[slot];
  if (release.growing || release.watched_pages != 0) return;
  if (!release.over) give_out_left(release);
  if (release.awaited_pages != 0) return;
  for (const Closing& closing : release.closings) give_out(release, closing, closing.pages, closing.by);
  release = Release{};
  free_slots_.push_back(slot);
}

void Releases::give_out_left(Release& release) {
  std::uint64_t closed_bytes = release.given_out_bytes;
  for (const Closing& closing : release.closings) {
    if (!is_return(closing.fate)) closed_bytes += closing.pages * kPageBytes;
  }
  if (closed_bytes != release.row.resident_bytes) ++context_.not_conserved;
  for (const Closing& closing : release.closings) {
    if (is_return(closing.fate)) continue;
    std::uint64_t certain = closing.by ? closing.pages : 0;
    const Reclaims::Pages& most = closing.by_at_most;
    if (closing.by) certain -= std::min(certain, most.others);
    // More went than anybody was seen to take: somebody was not seen.
    if (closing.pages > most.by + most.others) certain = 0;
    if (certain != 0) give_out(release, closing, certain, closing.by);
    if (certain != closing.pages) give_out(release, closing, closing.pages - certain, std::nullopt);
  }
  std::erase_if(release.closings, [](const Closing& closing) { return !is_return(closing.fate); });
  release.over = true;
}

void Releases::give_out(Release& release, const Closing& closing, std::uint64_t pages, std::optional<Reclaimer> by) {
  ReleaseRow row = release.row;
  row.fate = closing.fate;
  row.bytes = pages * kPageBytes;
  if (!is_return(closing.fate)) release.given_out_bytes += row.bytes;
  row.delay_min_ns = closing.delay_min_ns;
  if (closing.fate != Fate::kPending) row.delay_max_ns = closing.delay_max_ns;
  row.by = by;
  row.quality = std::max(row.quality, closing.quality);
  context_.sink.on_release(row, release.origin);
}

}  // namespace madvtrace
