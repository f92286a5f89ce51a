// SPDX-License-Identifier: Apache-2.0
// RssLedger says what changed the RSS of a process, from what its address spaces had when
// counting began and what the kernel side has counted since, by cause.
//
//   RssBegin + all of RssChanges - what leaves by exit = 0
//
// The kernel side's counts are cumulative; a row is what has been added to those of one
// cause since its last row. What is still there when a process ends, or becomes another
// program, leaves by RssCause::kExit: nobody counts that, it follows.
//
// The sum over all causes is exact; between causes a few pages can be mixed up, and what
// was under way at the last count can be missing. So it can turn out that more left than
// was there: `overdrawn_bytes` says how much, and no row does.
//
// If the begin was lost, nothing leaves by exit: what there was is not known. Counts that go
// backwards are those of another address space, whose begin was lost.
//
// It is pure, and of one process. Arithmetic wraps: no real trace comes near, and a hostile
// recording must not do harm. It takes about 1 KiB, whatever comes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

#include "model/event.h"
#include "model/rows.h"

namespace madvtrace {

// These are the sums of one process, over all the programs that it ran.
struct RssTotals {
  struct Source {
    RssCause cause = RssCause::kFault;
    std::optional<Reclaimer> by;
    bool operator<(const Source& other) const { return std::tie(cause, by) < std::tie(other.cause, other.by); }
  };
  struct Part {
    std::uint64_t gained_bytes = 0;  // of RSS
    std::uint64_t lost_bytes = 0;
    std::int64_t swap_delta_bytes = 0;
  };

  // When counting began, of each of its programs; empty if that is not known of any.
  std::optional<std::uint64_t> start_rss_bytes;
  std::optional<std::uint64_t> start_swap_bytes;
  std::map<Source, Part> sources;
  std::uint64_t overdrawn_bytes = 0;

  void add(const RssRow& row);
  void add(const RssTotals& other);
};

class RssLedger {
 public:
  explicit RssLedger(std::uint32_t pid) : pid_(pid) {}

  void on_begin(const RssBegin& event);
  // Both give the row that comes of it, without ts_ns; none if nothing has changed.
  // `after_loss`: something is missing that may have been one of these events.
  std::optional<RssRow> on_changes(const RssChanges& event, bool after_loss);
  // The address space is gone, by exit or exec.
  std::optional<RssRow> on_memory_gone(std::uint64_t mono_ns, bool after_loss);

  const RssTotals& totals() const { return totals_; }

 private:
  struct Counts {
    RssPages gained;
    RssPages lost;
  };
  // What is counted: each cause but kExit, and kReclaim for each reclaimer.
  static constexpr std::size_t kSources =
      static_cast<std::size_t>(RssCause::kReclaim) + static_cast<std::size_t>(Reclaimer::kKhugepaged) + 1;

  static std::size_t index_of(const RssChanges& event);
  std::optional<RssRow> row_if_any(RssRow row, bool after_loss);

  std::uint32_t pid_;
  std::optional<RssPages> start_;  // empty: its begin was lost
  std::array<Counts, kSources> counts_{};
  RssTotals totals_;
};

}  // namespace madvtrace
