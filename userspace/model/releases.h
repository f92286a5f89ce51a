// SPDX-License-Identifier: Apache-2.0
// Releases keeps those of one process of which rows may still come. A release is
// open as long as one of its pages is kept: watched by the ledger, because it is still in
// RSS, or waited for by Returns, because it has left and may come back.
//
//   add() --> growing or watched --> rows of stage `leave` --> awaited --> rows of stage
//   `return` --> its slot is free for another
//
// A release's rows of stage `leave` add up to its resident_bytes, always; where they do not,
// that is counted. Pages that had the same fate, by the same hand and known as well, are one
// row: from the shortest delay to the longest.
//
// It is pure. A release that is open takes about 430 bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/page_table.h"
#include "model/reclaims.h"
#include "model/row_origin.h"
#include "model/rows.h"

namespace madvtrace {

class ReleaseSink {
 public:
  virtual ~ReleaseSink() = default;
  // The row is without released_ts_ns and cause: the ledger knows no UTC, and the frames
  // may still have to come.
  virtual void on_release(ReleaseRow row, const RowOrigin& origin) = 0;
};

// ReleaseContext is what the releases of all processes have in common.
struct ReleaseContext {
  ReleaseSink& sink;
  Reclaims reclaims{};
  // What is touched again after it left is followed.
  bool follows_returns = false;
  // Moments at which pages are taken are told. A release is then one call, not several
  // that are close together, so that a delay is one number; and has a row for each moment.
  bool has_moments = false;
  // Records are missing: what is concluded from then on may be wrong.
  bool after_loss = false;
  std::uint64_t last_release_id = 0;
  // Releases whose rows did not add up: a bug in here, never an input's fault.
  std::uint64_t not_conserved = 0;
  // Pages that were touched before the call that gave them back had returned, and for
  // which there was no room to wait for it.
  std::uint64_t refaults_dropped = 0;
  // The same of moments; those pages are found gone by a look.
  std::uint64_t moments_dropped = 0;
};

// A closing says what became of some pages of a release.
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
  std::uint64_t awaited_pages = 0;    // that left and have not come back
  std::uint64_t given_out_bytes = 0;  // by rows of it, of stage `leave`
  bool growing = false;               // the next call of its thread may be merged into it
  bool over = false;                  // all of its rows of stage `leave` are given out
  bool all_left = true;               // of what is awaited: one that is resident must have come back
  std::vector<Closing> closings;      // of which no row is given out yet
};

class Releases {
 public:
  using Slot = PageTable::Slot;

  explicit Releases(ReleaseContext& context) : context_(context) { releases_.emplace_back(); }  // slot 0 is nobody

  // A release that is empty, but for its number. References to others end with it.
  Slot add();
  Release& operator[](Slot slot) { return releases_[slot]; }
  const Release& operator[](Slot slot) const { return releases_[slot]; }

  // Some pages of it are closed; the row comes later.
  void close(Slot slot, const Closing& closing);
  // The same, with a row of its own and at once: thousands of moments are not kept until all
  // of the release is gone.
  void close_at_once(Slot slot, const Closing& closing);
  // To be called when it has stopped growing, or a page of it is not kept any more.
  void give_out_if_over(Slot slot);

 private:
  void give_out_left(Release& release);
  void give_out(Release& release, const Closing& closing, std::uint64_t pages, std::optional<Reclaimer> by);

  ReleaseContext& context_;
  std::vector<Release> releases_;
  std::vector<Slot> free_slots_;
};

}  // namespace madvtrace
