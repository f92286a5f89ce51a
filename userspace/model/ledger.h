// SPDX-License-Identifier: Apache-2.0
// The fate of every released page.
//
//   a release ends --> its resident pages are freed, or (MADV_FREE) watched
//   watched --> reclaimed   a look found them gone
//           --> rewritten   a look found them dirty
//           --> superseded, unmapped, exited   a later call, or the end
//           --> pending     until the trace ends
//
// What has left is handed on to Returns, which follows it if that was asked for.
//
// One page is watched for one release at a time: the last. Conservation: the bytes of
// a release's rows add up to its resident_bytes, always.
//
// What it is told: releases that have returned, with the pages that were resident
// when they began; looks at single chunks; where the kernel lets us hook the function, the
// very moment at which a page is taken; ends of processes; losses. A look counts
// only for pages that no call has changed since it began: what was under way then
// says itself what it did. After a fork nothing is followed in the child: its pages
// are copies on write, and a page that it still maps can stay in RSS there.
//
// Pure. Memory: 4 bytes a watched page and about 430 a release that is still open.
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
#include "model/residency.h"
#include "model/returns.h"
#include "model/row_origin.h"
#include "model/rows.h"

namespace madvtrace {

class Ledger {
 public:
  // Rows are given to the sink without released_ts_ns and cause: the ledger knows no UTC,
  // and the frames may still have to come.
  class Sink : public Returns::Sink {
   public:
    // When the process is gone, or the trace over: the delays of all that it released.
    virtual void on_delays(std::uint32_t pid, const DelaysByKind& delays, double overhang_byte_seconds) = 0;
  };

  explicit Ledger(Sink& sink) : sink_(sink), returns_(sink) { releases_.emplace_back(); }  // slot 0 is nobody

  // What is touched again after it left is followed from here on.
  void record_returns() { returns_.record(); }

  // Moments at which pages are taken will be told. A release is then one call, not several
  // that are close together, so that a delay is one number; and has a row for each moment.
  void record_moments() { has_moments_ = true; }

  void on_returned(const AssembledCall& call, const RowOrigin& origin);
  // `under_way`: a call of the process that touches the chunk has begun and not ended.
  void on_look(const Pages& look, bool under_way);
  void on_refault(const Refault& refault, bool under_way);
  void on_reclaimed(const Reclaimed& reclaimed, bool under_way);
  void on_reclaim(const Reclaim& reclaim) { reclaims_.add(reclaim); }
  // It exited or became another program.
  void on_process_gone(std::uint32_t pid, std::uint64_t mono_ns);
  // It is not traced any more: closes what is pending as of then.
  void on_process_left(std::uint32_t pid, std::uint64_t mono_ns);
  // Records are missing: what is concluded from here on may be wrong.
  void on_loss() { after_loss_ = true; }
  // Gives out the rows of releases that no further call has joined for a while.
  void settle(std::uint64_t mono_ns);
  // Closes what is pending as of then.
  void finish(std::uint64_t mono_ns);

  std::uint64_t pending_bytes(std::uint32_t pid) const;
  // Chunks that hold watched pages: where to look.
  std::vector<std::uint64_t> watched_chunks(std::uint32_t pid) const;

  // The same for pages that have left and may have come back.
  std::vector<std::uint64_t> left_chunks(std::uint32_t pid) const { return returns_.chunks(pid); }
  // Pages that were touched before the call that gave them back had returned, and for
  // which there was no room to wait for it.
  std::uint64_t refaults_dropped() const { return refaults_dropped_; }
  // The same of moments; those pages are found gone by a look.
  std::uint64_t moments_dropped() const { return moments_dropped_; }

  // Releases whose rows did not add up: a bug in here, never an input's fault.
  std::uint64_t not_conserved() const { return not_conserved_; }

 private:
  using Slot = PageTable::Slot;

  struct Closing {
    Fate fate = Fate::kFreed;
    std::optional<Reclaimer> by;
    Quality quality = Quality::kExact;
    std::uint64_t pages = 0;
    std::uint64_t delay_min_ns = 0;
    std::uint64_t delay_max_ns = 0;
    Reclaims::Span span;         // kReclaimed: the events that `by` was concluded from,
    Reclaims::Pages by_at_most;  // and what was reclaimed in them
  };

  struct Release {
    ReleaseRow row;                  // what all its rows have in common
    std::uint64_t last_mono_ns = 0;  // when the last of the calls merged into it began
    std::uint64_t stack_key = 0;
    RowOrigin origin;  // of the first of the calls
    std::uint64_t watched_pages = 0;
    std::uint64_t given_out_bytes = 0;  // by rows of it
    bool growing = false;               // the next call of its thread may be merged into it
    std::vector<Closing> closings;
  };

  struct Process {
    PageTable pages;
    std::uint64_t watched_pages = 0;
    std::uint64_t counted_ns = 0;  // up to when the overhang has been added up
    double overhang_page_ns = 0;   // released yet resident, integrated over time
    DelaysByKind delays;
    std::map<std::uint32_t, Slot> growing;  // tid -> the release its next call may join
    std::vector<Refault> early;             // of pages that calls under way are giving back
    std::vector<Reclaimed> early_taken;     // the same
  };

  struct Ending {
    Fate fate = Fate::kFreed;
    Moment moment;
    Quality quality = Quality::kExact;
    std::optional<Reclaimer> by;  // if it was seen to
    bool operator==(const Ending&) const = default;
  };

  Slot release_for(Process& process, const AssembledCall& call, const RowOrigin& origin);
  void apply(Process& process, const ReturnedRelease& release, const AddressRange& range);
  void watch(Process& process, const ReturnedRelease& release, const Pages& pages, Slot slot);
  void move_pages(Process& process, const ReturnedRelease& release);
  // `decide`(page, slot): what became of a watched page, if anything.
  template <class Decide>
  void close_pages(Process& process, std::uint64_t chunk_addr, PageTable::Chunk& chunk, std::size_t first,
                   std::size_t end, Decide decide);
  void take_reclaimed(Process& process, const Reclaimed& reclaimed);
  void take_reclaimed_before(Process& process, const ReturnedRelease& release);
  void take_early_reclaimed(Process& process, const ReturnedRelease& release);
  bool take_refault(Process& process, const Refault& refault);
  void take_refaults_before(Process& process, const ReturnedRelease& release);
  void take_early_refaults(Process& process, const ReturnedRelease& release);
  void follow_on(const ReturnedRelease& release, Slot slot, Effect effect);
  void forget_what_left(std::uint32_t pid, const ReturnedRelease& release);
  void close_as_pending(std::uint32_t pid, Process& process, std::uint64_t mono_ns);
  void close(Process& process, Slot slot, std::uint64_t pages, const Ending& ending);
  void add_closing(Process& process, Slot slot, const Closing& closing);
  void give_out_delays(std::uint32_t pid, const Process& process);
  void find_reclaimer(const Release& release, Closing& closing, const Moment& moment) const;
  void stop_growing(Process& process, Slot slot);
  void give_out_if_over(Slot slot);
  void count_overhang(Process& process, std::uint64_t mono_ns);
  std::uint64_t last_seen_ns(const PageTable::Chunk& chunk, Slot slot) const;
  void give_out(Release& release, const Closing& closing, std::uint64_t pages, std::optional<Reclaimer> by);
  Quality weakened(Quality quality) const { return after_loss_ ? Quality::kAfterLoss : quality; }

  Sink& sink_;
  std::map<std::uint32_t, Process> processes_;
  std::vector<Release> releases_;
  std::vector<Slot> free_slots_;
  Reclaims reclaims_;
  Returns returns_;
  std::uint64_t last_release_id_ = 0;
  std::uint64_t not_conserved_ = 0;
  std::uint64_t refaults_dropped_ = 0;
  std::uint64_t moments_dropped_ = 0;
  bool has_moments_ = false;
  bool after_loss_ = false;
};

}  // namespace madvtrace
