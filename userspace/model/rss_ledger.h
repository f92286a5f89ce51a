// SPDX-License-Identifier: Apache-2.0
// Every change of RSS has a cause: what address spaces had when counting began, and what
// has changed since, by whom.
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
// Pure. Arithmetic wraps: no real trace comes near, and a hostile recording must not do harm.
// Memory: about 1 KiB for each process that has an address space, whatever comes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

#include "model/event.h"
#include "model/rows.h"

namespace madvtrace {

// Of one process, all its programs together.
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
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void on_rss(RssRow row) = 0;  // without ts_ns
    // When the address space is gone or out of sight, or the trace over.
    virtual void on_rss_totals(std::uint32_t pid, const RssTotals& totals) = 0;
  };

  explicit RssLedger(Sink& sink) : sink_(sink) {}

  void on_begin(const RssBegin& event);
  void on_changes(const RssChanges& event);
  // Its address space is, by exit or exec.
  void on_memory_gone(std::uint32_t pid, std::uint64_t mono_ns);
  // What becomes of it from here on, nobody will know.
  void on_memory_left(std::uint32_t pid);
  // Something is missing that may have been one of these events.
  void on_loss() { after_loss_ = true; }
  void finish();

 private:
  struct Counts {
    RssPages gained;
    RssPages lost;
  };
  // What is counted: each cause but kExit, and kReclaim for each reclaimer.
  static constexpr std::size_t kSources =
      static_cast<std::size_t>(RssCause::kReclaim) + static_cast<std::size_t>(Reclaimer::kKhugepaged) + 1;

  struct Account {
    std::optional<RssPages> start;  // empty: its begin was lost
    std::array<Counts, kSources> counts{};
    RssTotals totals;
  };

  static std::size_t index_of(const RssChanges& event);
  void give_out(Account& account, RssRow row);
  void leave_by_exit(Account& account, std::uint32_t pid, std::uint64_t mono_ns);

  Sink& sink_;
  bool after_loss_ = false;
  std::map<std::uint32_t, Account> accounts_;  // by pid
};

}  // namespace madvtrace
