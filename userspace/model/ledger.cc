// SPDX-License-Identifier: Apache-2.0
#include "model/ledger.h"

#include <algorithm>

#include "base/arithmetic.h"
#include "model/advice.h"

namespace madvtrace {
namespace {

// Calls that are so close together are one release: the Go scavenger gives back 64 KiB
// at a time, one below the other.
constexpr std::uint64_t kMergeWithinNs = 10'000'000;
constexpr std::uint64_t kSettleAfterNs = 1'000'000'000;
constexpr std::size_t kMostEarly = 1U << 16;
constexpr std::uint64_t kLongestCallNs = 10'000'000'000;  // that a page waits for

// What a call that takes pages away means for the release that they were watched for.
Fate fate_by(CallKind call) {
  const bool advice = call == CallKind::kMadvise || call == CallKind::kProcessMadvise;
  return advice ? Fate::kSuperseded : Fate::kUnmapped;
}

// Of the part of its chunk that was looked at.
PageBits resident_in(const Pages& pages) {
  PageBits resident{};
  for (std::size_t page = 0; page < kChunkPages; ++page) {
    if (pages.covers(page) && pages.resident(page)) resident.at(page / 64) |= std::uint64_t{1} << (page % 64);
  }
  return resident;
}

bool touches(const ReturnedRelease& release, std::uint64_t addr) {
  const AddressRange page{addr, addr + kPageBytes};
  return std::any_of(release.ranges.begin(), release.ranges.end(),
                     [&](const AddressRange& range) { return range.overlaps(page); });
}

// Those of a call that lie in one chunk: one, or one for each of its ranges there.
std::vector<const Pages*> pages_in(const ReturnedRelease& release, std::uint64_t chunk_addr) {
  std::vector<const Pages*> found;
  for (const Pages& pages : release.pages) {
    if (pages.chunk_addr == chunk_addr) found.push_back(&pages);
  }
  return found;
}

// The kernel drops a lazily freed page; one that was written meanwhile it moves to swap.
bool is_reclaimed(const Pages& look, std::size_t page) { return !look.resident(page) && !look.swapped(page); }

}  // namespace

std::uint64_t Ledger::last_seen_ns(const Chunk& chunk, Slot slot) const {
  return std::max(chunk.looked_ns, releases_[slot].row.released_mono_ns);
}

void Ledger::count_overhang(std::uint64_t mono_ns) {
  overhang_page_ns_ += static_cast<double>(watched_pages_) * static_cast<double>(since(counted_ns_, mono_ns));
  counted_ns_ = std::max(counted_ns_, mono_ns);
}

Ledger::Slot Ledger::release_for(const AssembledCall& call, const RowOrigin& origin) {
  const ReturnedRelease& returned = *call.release;
  const AddressRange range = returned.ranges.front();
  const auto growing = growing_.find(call.row.tid);
  if (growing != growing_.end()) {
    Release& last = releases_[growing->second];
    const bool alike = last.row.call == call.row.call && last.row.advice == call.row.advice &&
                       last.stack_key == call.stack_key && returned.ranges.size() == 1;
    const bool adjacent = range.end == last.row.range.begin || range.begin == last.row.range.end;
    if (alike && adjacent && since(last.row.released_mono_ns, call.row.mono_ns) <= kMergeWithinNs) {
      last.row.range = {std::min(last.row.range.begin, range.begin), std::max(last.row.range.end, range.end)};
      last.last_mono_ns = call.row.mono_ns;
      return growing->second;
    }
    stop_growing(growing->second);
  }
  const Slot slot = releases_.add();
  Release& release = releases_[slot];
  release.row.pid = pid_;
  release.row.tid = call.row.tid;
  release.row.call = call.row.call;
  release.row.advice = call.row.advice;
  release.row.range = {range.begin, range.begin + call.row.len_bytes.value_or(range.bytes())};
  if (returned.ranges.size() == 1) release.row.range = range;
  release.row.released_mono_ns = call.row.mono_ns;
  release.row.quality = call.row.quality.value_or(Quality::kBounded);
  release.row.stack_id = origin.stack_id();
  release.origin = origin;
  release.last_mono_ns = call.row.mono_ns;
  release.stack_key = call.stack_key;
  release.growing = true;
  growing_[call.row.tid] = slot;
  return slot;
}

void Ledger::stop_growing(Slot slot) {
  releases_[slot].growing = false;
  growing_.erase(releases_[slot].row.tid);
  releases_.give_out_if_over(slot);
}

void Ledger::add_closing(Slot slot, const Closing& closing) {
  const ReleaseRow& row = releases_[slot].row;
  delays_[{row.call, row.advice}].add(closing.fate, closing.delay_max_ns, closing.pages * kPageBytes);
  const bool is_moment = context_.has_moments && closing.fate == Fate::kReclaimed && closing.quality == Quality::kExact;
  if (is_moment) {
    releases_.close_at_once(slot, closing);
  } else {
    releases_.close(slot, closing);
  }
}

// Neighbours that had the same fate at the same moment are closed together.
template <class Decide>
void Ledger::close_pages(std::uint64_t chunk_addr, Chunk& chunk, std::size_t first, std::size_t end, Decide decide) {
  for (std::size_t page = first; page < end;) {
    const Slot slot = chunk.slots[page];
    const std::optional<Ending> ending = slot == 0 ? std::nullopt : decide(page, slot);
    std::size_t next = page + 1;
    if (ending) {
      while (next < end && chunk.slots[next] == slot && decide(next, slot) == ending) ++next;
      std::fill(chunk.slots.begin() + static_cast<std::ptrdiff_t>(page),
                chunk.slots.begin() + static_cast<std::ptrdiff_t>(next), 0);
      chunk.kept -= static_cast<std::uint32_t>(next - page);
      if (ending->fate == Fate::kReclaimed && context_.follows_returns) {
        PageBits left{};
        for (std::size_t i = page; i < next; ++i) left.at(i / 64) |= std::uint64_t{1} << (i % 64);
        returns_.on_left(slot, chunk_addr, left, /*all_left=*/true, ending->moment.to_ns);
      }
      close(slot, next - page, *ending);
    }
    page = next;
  }
}

void Ledger::close(Slot slot, std::uint64_t pages, const Ending& ending) {
  Release& release = releases_[slot];
  Closing closing{.fate = ending.fate,
                  .quality = weakened(ending.quality),
                  .pages = pages,
                  // Calls that were merged are up to kMergeWithinNs apart.
                  .delay_min_ns = since(release.last_mono_ns, ending.moment.from_ns),
                  .delay_max_ns = since(release.row.released_mono_ns, ending.moment.to_ns)};
  if (ending.by) {
    closing.by = ending.by;
    closing.by_at_most.by = pages;
  } else if (ending.fate == Fate::kReclaimed) {
    find_reclaimer(release, closing, ending.moment);
  }
  add_closing(slot, closing);
  watched_pages_ -= pages;
  release.watched_pages -= pages;
  releases_.give_out_if_over(slot);
}

void Ledger::find_reclaimer(const Release& release, Closing& closing, const Moment& moment) const {
  const Reclaims::Answer answer = context_.reclaims.who(pid_, moment);
  if (!answer.by) return;
  closing.by = answer.by;
  // Each event can have taken its pages from this release only once.
  closing.span = answer.span;
  for (const Closing& other : release.closings) {
    if (other.fate == Fate::kReclaimed && other.by == closing.by) {
      closing.span.first = std::max(closing.span.first, other.span.end);
    }
  }
  closing.by_at_most = context_.reclaims.pages(pid_, *answer.by, closing.span);
  closing.span.end = answer.span.end;
}

// Closes what the range held for earlier releases, by what the call found there.
void Ledger::apply(const ReturnedRelease& release, const AddressRange& range) {
  const std::uint64_t begin_ns = release.call.begin_ns;
  // Without page tables, or beyond where the walk stopped, nobody looked.
  const bool looked = release.before.done && !release.before.sampled && !release.before.capped;
  pages_.visit(range, [&](std::uint64_t chunk_addr, Chunk& chunk, std::size_t first, std::size_t end) {
    const std::vector<const Pages*> in_chunk = pages_in(release, chunk_addr);
    close_pages(chunk_addr, chunk, first, end, [&](std::size_t page, Slot slot) -> std::optional<Ending> {
      const auto covering =
          std::find_if(in_chunk.begin(), in_chunk.end(), [&](const Pages* p) { return p->covers(page); });
      const Pages* pages = covering == in_chunk.end() ? nullptr : *covering;
      const Moment meanwhile{last_seen_ns(chunk, slot), begin_ns};
      if (!looked && pages == nullptr) return Ending{fate_by(release.call.kind), meanwhile, Quality::kBounded};
      if (pages == nullptr || is_reclaimed(*pages, page)) return Ending{Fate::kReclaimed, meanwhile, Quality::kBounded};
      if (pages->swapped(page) || !pages->clean(page)) return Ending{Fate::kRewritten, meanwhile, Quality::kBounded};
      return Ending{fate_by(release.call.kind), {begin_ns, begin_ns}, Quality::kExact};
    });
    chunk.changed_ns = release.end_ns;
  });
}

void Ledger::watch(const ReturnedRelease& release, const Pages& pages, Slot slot) {
  Chunk& chunk = pages_.make(pages.chunk_addr);
  std::uint64_t watched = 0;
  for (std::size_t page = pages.first_page; page < pages.first_page + pages.pages; ++page) {
    if (!pages.resident(page) || chunk.slots[page] != 0) continue;
    chunk.slots[page] = slot;
    ++watched;
  }
  chunk.kept += static_cast<std::uint32_t>(watched);
  chunk.changed_ns = release.end_ns;
  watched_pages_ += watched;
  releases_[slot].watched_pages += watched;
  releases_[slot].row.resident_bytes += watched * kPageBytes;
  pages_.drop_if_empty(pages.chunk_addr, chunk);
}

// mremap takes the pages along: what was watched there is watched here.
void Ledger::move_pages(const ReturnedRelease& release) {
  const CallFields& call = release.call;
  const auto to = static_cast<std::uint64_t>(release.ret);
  const AddressRange from = AddressRange::of_call(call.args[0], std::min(call.args[1], call.args[2]));
  if (to == from.begin || to % kPageBytes != 0) return;
  struct Moved {
    std::uint64_t address;
    Slot slot;
    std::uint64_t looked_ns;
  };
  std::vector<Moved> moved;
  pages_.visit(from, [&](std::uint64_t chunk_addr, Chunk& chunk, std::size_t first, std::size_t end) {
    for (std::size_t page = first; page < end; ++page) {
      Slot& slot = chunk.slots[page];
      if (slot == 0) continue;
      moved.push_back({chunk_addr + page * kPageBytes - from.begin + to, slot, chunk.looked_ns});
      slot = 0;
      --chunk.kept;
    }
    chunk.changed_ns = release.end_ns;
  });
  for (const Moved& page : moved) {
    Chunk& chunk = pages_.make(chunk_of(page.address));
    Slot& slot = chunk.slots[page_in_chunk(page.address)];
    // What the kernel puts there was unmapped above; a lost record may have hidden it.
    if (slot != 0) {
      const Ending unmapped{Fate::kUnmapped, {release.call.begin_ns, release.end_ns}, Quality::kBounded};
      close(slot, 1, unmapped);
      --chunk.kept;
    }
    slot = page.slot;
    chunk.looked_ns = chunk.kept == 0 ? page.looked_ns : std::min(chunk.looked_ns, page.looked_ns);
    ++chunk.kept;
    chunk.changed_ns = release.end_ns;
  }
}

void Ledger::on_returned(const AssembledCall& call, const RowOrigin& origin) {
  if (!call.release || call.release->ranges.empty()) return;
  const ReturnedRelease& release = *call.release;
  const Effect effect = effect_of_release(release.call, release.ret, release.before, release.after);
  take_reclaimed_before(release);
  take_refaults_before(release);
  if (effect == Effect::kNone) take_early_reclaimed(release);
  if (effect == Effect::kNone) return;
  count_overhang(release.end_ns);
  if (effect != Effect::kPartlyTaken) {
    for (const AddressRange& range : release.ranges) apply(release, range);
  }
  forget_what_left(release);
  if (effect == Effect::kLazilyFreed) {
    const bool any = std::any_of(release.pages.begin(), release.pages.end(), [](const Pages& pages) {
      return std::any_of(pages.resident_bits.begin(), pages.resident_bits.end(), [](auto word) { return word != 0; });
    });
    if (any) {
      const Slot slot = release_for(call, origin);
      for (const Pages& pages : release.pages) watch(release, pages, slot);
    }
  } else if (release.before.done) {
    const std::uint64_t left = effect == Effect::kPartlyTaken ? release.after.resident_pages : 0;
    const std::uint64_t gone = release.before.resident_pages - std::min(left, release.before.resident_pages);
    if (gone != 0) {
      const Slot slot = release_for(call, origin);
      releases_[slot].row.resident_bytes += gone * kPageBytes;
      add_closing(slot, {.fate = Fate::kFreed,
                         .quality = call.row.quality.value_or(Quality::kBounded),
                         .pages = gone,
                         .delay_min_ns = 0,
                         .delay_max_ns = since(release.call.begin_ns, release.end_ns)});
      follow_on(release, slot, effect);
    }
  }
  if (const auto growing = growing_.find(call.row.tid); context_.has_moments && growing != growing_.end()) {
    stop_growing(growing->second);
  }
  take_early_reclaimed(release);
  if (release.call.kind == CallKind::kMremap && !call_failed(release.call, release.ret)) move_pages(release);
  take_early_refaults(release);
}

void Ledger::take_reclaimed(const Reclaimed& reclaimed) {
  const AddressRange range = AddressRange::of_call(reclaimed.addr, reclaimed.pages * kPageBytes);
  const std::uint64_t now_ns = reclaimed.stamp.mono_ns;
  pages_.visit(range, [&](std::uint64_t chunk_addr, Chunk& chunk, std::size_t first, std::size_t end) {
    close_pages(chunk_addr, chunk, first, end, [&](std::size_t, Slot) -> std::optional<Ending> {
      return Ending{Fate::kReclaimed, {now_ns, now_ns}, Quality::kExact, reclaimed.by};
    });
  });
}

void Ledger::on_reclaimed(const Reclaimed& reclaimed, bool under_way) {
  count_overhang(reclaimed.stamp.mono_ns);
  if (!under_way) return take_reclaimed(reclaimed);
  // Which release the page is of is known when the call has returned.
  if (early_taken_.size() < kMostEarly) {
    early_taken_.push_back(reclaimed);
  } else {
    ++context_.moments_dropped;
  }
}

// Those that were gone before the call looked are not of its release.
void Ledger::take_reclaimed_before(const ReturnedRelease& release) {
  std::erase_if(early_taken_, [&](const Reclaimed& reclaimed) {
    if (!touches(release, reclaimed.addr)) return false;
    const std::size_t page = page_in_chunk(reclaimed.addr);
    for (const Pages* pages : pages_in(release, chunk_of(reclaimed.addr))) {
      if (pages->covers(page) && pages->resident(page)) return false;
    }
    take_reclaimed(reclaimed);
    return true;
  });
}

void Ledger::take_early_reclaimed(const ReturnedRelease& release) {
  std::erase_if(early_taken_, [&](const Reclaimed& reclaimed) {
    if (touches(release, reclaimed.addr)) {
      take_reclaimed(reclaimed);
      return true;
    }
    return since(reclaimed.stamp.mono_ns, release.end_ns) > kLongestCallNs;
  });
}

// What the call found in its ranges of pages that had left: they had come back. And what
// it unmaps is not waited for any more.
void Ledger::forget_what_left(const ReturnedRelease& release) {
  if (!context_.follows_returns) return;
  for (const Pages& pages : release.pages) {
    returns_.on_found_resident(pages.chunk_addr, resident_in(pages), release.call.begin_ns);
  }
  if (advice_of(release.call)) return;
  for (const AddressRange& range : release.ranges) returns_.on_unmapped(range);
  if (release.call.kind != CallKind::kMremap || call_failed(release.call, release.ret)) return;
  returns_.on_unmapped(AddressRange::of_call(release.call.args[0], release.call.args[1]));
}

void Ledger::follow_on(const ReturnedRelease& release, Slot slot, Effect effect) {
  if (!context_.follows_returns || !can_come_back(advice_of(release.call))) return;
  for (const Pages& pages : release.pages) {
    returns_.on_left(slot, pages.chunk_addr, resident_in(pages), effect == Effect::kTaken, release.end_ns);
  }
}

// False if nobody waits for that page.
bool Ledger::take_refault(const Refault& refault) {
  const std::uint64_t chunk_addr = chunk_of(refault.addr);
  if (Chunk* const chunk = pages_.find(chunk_addr)) {
    const std::size_t page = page_in_chunk(refault.addr);
    const std::uint64_t now_ns = refault.stamp.mono_ns;
    // Lazily freed, and not there: taken. In swap: written again before it was taken.
    close_pages(chunk_addr, *chunk, page, page + 1, [&](std::size_t, Slot slot) -> std::optional<Ending> {
      return Ending{refault.swapped ? Fate::kRewritten : Fate::kReclaimed,
                    {std::min(last_seen_ns(*chunk, slot), now_ns), now_ns},
                    Quality::kBounded};
    });
    pages_.drop_if_empty(chunk_addr, *chunk);
  }
  return returns_.on_refault(refault, weakened(Quality::kExact));
}

void Ledger::on_refault(const Refault& refault, bool under_way) {
  if (!context_.follows_returns) return;
  count_overhang(refault.stamp.mono_ns);
  if (!under_way) {
    take_refault(refault);
    return;
  }
  // What the call found, and so which release the page is of, is known when it has returned.
  if (early_.size() < kMostEarly) {
    early_.push_back(refault);
  } else {
    ++context_.refaults_dropped;
  }
}

// Those that came while the call was under way, of pages that it did not take: it found
// them absent, or they were touched before it looked. If it unmapped them, and what was
// touched can be what has been mapped there since, nothing is said.
void Ledger::take_refaults_before(const ReturnedRelease& release) {
  const bool unmaps = !advice_of(release.call);
  std::erase_if(early_, [&](const Refault& refault) {
    const std::size_t page = page_in_chunk(refault.addr);
    if (!touches(release, refault.addr)) return false;
    for (const Pages* pages : pages_in(release, chunk_of(refault.addr))) {
      if (!pages->covers(page) || !pages->resident(page)) continue;
      if (refault.stamp.mono_ns >= pages->stamp.mono_ns) return false;
      take_refault(refault);
      return true;
    }
    if (!unmaps) take_refault(refault);
    return true;
  });
}

// A page can be touched again by another thread before the call that gave it back has
// returned, and so before it is known to have left.
void Ledger::take_early_refaults(const ReturnedRelease& release) {
  std::erase_if(early_, [&](const Refault& refault) {
    if (since(refault.stamp.mono_ns, release.end_ns) > kLongestCallNs) return true;
    return touches(release, refault.addr) && take_refault(refault);
  });
}

void Ledger::on_look(const Pages& look, bool under_way) {
  if (under_way) return;
  returns_.on_look(look);
  Chunk* chunk = pages_.find(look.chunk_addr);
  if (chunk == nullptr || chunk->changed_ns >= look.begin_ns) return;
  count_overhang(look.stamp.mono_ns);
  const std::size_t end = std::min<std::size_t>(std::size_t{look.first_page} + look.pages, kChunkPages);
  close_pages(look.chunk_addr, *chunk, look.first_page, end, [&](std::size_t page, Slot slot) -> std::optional<Ending> {
    if (look.resident(page) && look.clean(page)) return std::nullopt;
    return Ending{is_reclaimed(look, page) ? Fate::kReclaimed : Fate::kRewritten,
                  {last_seen_ns(*chunk, slot), look.stamp.mono_ns},
                  Quality::kBounded};
  });
  if (look.pages == kChunkPages) chunk->looked_ns = look.begin_ns;
  pages_.drop_if_empty(look.chunk_addr, *chunk);
}

void Ledger::end(std::uint64_t mono_ns) {
  count_overhang(mono_ns);
  pages_.visit_all([&](std::uint64_t chunk_addr, Chunk& chunk, std::size_t first, std::size_t end) {
    // Nobody has looked since: perhaps something else had become of it before.
    close_pages(chunk_addr, chunk, first, end, [&](std::size_t, Slot slot) -> std::optional<Ending> {
      return Ending{Fate::kExited, {last_seen_ns(chunk, slot), mono_ns}, Quality::kBounded};
    });
  });
  stop_growing_all();
}

void Ledger::end_as_pending(std::uint64_t mono_ns) {
  count_overhang(mono_ns);
  pages_.visit_all([&](std::uint64_t chunk_addr, Chunk& chunk, std::size_t first, std::size_t end) {
    const Quality quality = chunk.looked_ns != 0 ? Quality::kExact : Quality::kBounded;
    close_pages(chunk_addr, chunk, first, end, [&](std::size_t, Slot) -> std::optional<Ending> {
      return Ending{Fate::kPending, {mono_ns, mono_ns}, quality};
    });
  });
  stop_growing_all();
}

void Ledger::settle(std::uint64_t mono_ns) {
  std::vector<Slot> quiet;
  for (const auto& [tid, slot] : growing_) {
    if (since(releases_[slot].last_mono_ns, mono_ns) > kSettleAfterNs) quiet.push_back(slot);
  }
  for (const Slot slot : quiet) stop_growing(slot);
}

void Ledger::stop_growing_all() {
  while (!growing_.empty()) stop_growing(growing_.begin()->second);
}

}  // namespace madvtrace
