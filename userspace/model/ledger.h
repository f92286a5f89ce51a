// SPDX-License-Identifier: Apache-2.0
// Ledger says what became of every page that one process released. For each page:
//
//               MADV_FREE
//   resident ---------------> watched ---> reclaimed    it is gone --------+
//      |                         |                                        |
//      | MADV_DONTNEED,          +-------> rewritten    it is dirty       |
//      | munmap, ...             +-------> superseded   released again    |
//      |                         +-------> unmapped                       |
//      |                         +-------> exited       with its process  |
//      |                         +-------> pending      nobody looks on   |
//      v                                                                  v
//    freed ---------------------------------------------------------> awaited
//                                                                         |
//                     refaulted <--- touched again, or found resident ----+
//                     (no row)  <--- unmapped, exited, nobody looks on ---+
//
// What is awaited has left RSS: Returns follows it, if that was asked for, and not where
// nothing can come back (munmap). Nobody looks on when the trace is over, or the process
// has left the group that is watched.
//
// A page is watched for one release at a time: the last. Conservation: the bytes of a
// release's rows add up to its resident_bytes, always.
//
// The ledger is told: releases that have returned, with the pages that were resident
// when they began; looks at single chunks; where the kernel lets us hook the function, the
// very moment at which a page is taken; the end. A look counts only for pages that no call
// has changed since it began: what was under way then says itself what it did. After a
// fork nothing is followed in the child: its pages are copies on write, and a page that it
// still maps can stay in RSS there.
//
// It is pure. It takes 4 bytes a watched page, and what the releases take that are open.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "model/call_assembler.h"
#include "model/delays.h"
#include "model/event.h"
#include "model/page_table.h"
#include "model/reclaims.h"
#include "model/releases.h"
#include "model/residency.h"
#include "model/returns.h"
#include "model/row_origin.h"
#include "model/rows.h"

namespace madvtrace {

class Ledger {
 public:
  // `context` outlives it.
  Ledger(std::uint32_t pid, ReleaseContext& context)
      : pid_(pid), context_(context), releases_(context), returns_(releases_) {}
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void on_returned(const AssembledCall& call, const RowOrigin& origin);
  // `under_way`: a call of the process that touches the chunk has begun and not ended.
  void on_look(const Pages& look, bool under_way);
  void on_refault(const Refault& refault, bool under_way);
  void on_reclaimed(const Reclaimed& reclaimed, bool under_way);
  // Gives out the rows of releases that no further call has joined for a while.
  void settle(std::uint64_t mono_ns);
  // The process has exited or become another program: closes what is watched. Only
  // end_returns() may follow.
  void end(std::uint64_t mono_ns);
  // The trace is over, or the process is not traced any more: closes what is watched as
  // pending as of then. Only end_returns() may follow.
  void end_as_pending(std::uint64_t mono_ns);
  // What has left and not come back never will.
  void end_returns() { returns_.end(); }

  std::uint64_t pending_bytes() const { return watched_pages_ * kPageBytes; }
  // These chunks hold watched pages: there one has to look.
  std::vector<std::uint64_t> watched_chunks() const { return pages_.chunks(); }
  // The same for pages that have left and may have come back.
  std::vector<std::uint64_t> left_chunks() const { return returns_.chunks(); }

  // These are of all that it released, as far as it is closed.
  const DelaysByKind& delays() const { return delays_; }
  double overhang_byte_seconds() const { return overhang_page_ns_ * kPageBytes / 1e9; }
  const ReturnTotals& returns() const { return returns_.totals(); }

 private:
  using Slot = Releases::Slot;
  using Chunk = PageTable::Chunk;

  struct Ending {
    Fate fate = Fate::kFreed;
    Moment moment;
    Quality quality = Quality::kExact;
    std::optional<Reclaimer> by;  // if it was seen to
    bool operator==(const Ending&) const = default;
  };

  Slot release_for(const AssembledCall& call, const RowOrigin& origin);
  void apply(const ReturnedRelease& release, const AddressRange& range);
  void watch(const ReturnedRelease& release, const Pages& pages, Slot slot);
  void move_pages(const ReturnedRelease& release);
  // `decide`(page, slot): what became of a watched page, if anything.
  template <class Decide>
  void close_pages(std::uint64_t chunk_addr, Chunk& chunk, std::size_t first, std::size_t end, Decide decide);
  void take_reclaimed(const Reclaimed& reclaimed);
  void take_reclaimed_before(const ReturnedRelease& release);
  void take_early_reclaimed(const ReturnedRelease& release);
  bool take_refault(const Refault& refault);
  void take_refaults_before(const ReturnedRelease& release);
  void take_early_refaults(const ReturnedRelease& release);
  void follow_on(const ReturnedRelease& release, Slot slot, Effect effect);
  void forget_what_left(const ReturnedRelease& release);
  void close(Slot slot, std::uint64_t pages, const Ending& ending);
  void add_closing(Slot slot, const Closing& closing);
  void find_reclaimer(const Release& release, Closing& closing, const Moment& moment) const;
  void stop_growing(Slot slot);
  void stop_growing_all();
  void count_overhang(std::uint64_t mono_ns);
  std::uint64_t last_seen_ns(const Chunk& chunk, Slot slot) const;
  Quality weakened(Quality quality) const { return context_.after_loss ? Quality::kAfterLoss : quality; }

  std::uint32_t pid_;
  ReleaseContext& context_;
  Releases releases_;
  PageTable pages_;  // that are watched: seen in RSS
  std::uint64_t watched_pages_ = 0;
  Returns returns_;
  std::uint64_t counted_ns_ = 0;  // up to when the overhang has been added up
  double overhang_page_ns_ = 0;   // released yet resident, integrated over time
  DelaysByKind delays_;
  std::map<std::uint32_t, Slot> growing_;  // tid -> the release its next call may join
  std::vector<Refault> early_;             // of pages that calls under way are giving back
  std::vector<Reclaimed> early_taken_;     // the same
};

}  // namespace madvtrace
