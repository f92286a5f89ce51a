// SPDX-License-Identifier: Apache-2.0
// Reclaims knows who reclaimed when, and says whose hand took a page that was found gone.
//
// No event says who took which page. What is known is who reclaimed at all in the time
// in which pages went, and how many pages at most: if only one did, it was that one; if
// several did, the one that took most took all but as many as the others took together.
//
// It is pure. It keeps the last kKept events; about a time before them it says nothing.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "model/event.h"

namespace madvtrace {

// When something happened, as far as is known.
struct Moment {
  std::uint64_t from_ns = 0;
  std::uint64_t to_ns = 0;
  bool operator==(const Moment&) const = default;
};

class Reclaims {
 public:
  static constexpr std::size_t kKept = 4096;

  // Events by their number since the trace began: [first, end).
  struct Span {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
  };
  struct Answer {
    std::optional<Reclaimer> by;  // who took most; empty: nobody was seen, or it cannot be told
    Span span;                    // what that was concluded from
  };
  // At most, of anybody's pages.
  struct Pages {
    std::uint64_t by = 0;
    std::uint64_t others = 0;
  };

  void add(const Reclaim& reclaim);
  // Says who took pages of the process `pid` in that time.
  Answer who(std::uint32_t pid, const Moment& moment) const;
  // Says what `by` and all others reclaimed in these events, which must still be kept.
  Pages pages(std::uint32_t pid, Reclaimer by, const Span& span) const;

 private:
  static constexpr std::size_t kReclaimers = static_cast<std::size_t>(Reclaimer::kSelf) + 1;
  using Sums = std::array<std::uint64_t, kReclaimers>;

  struct Entry {
    Reclaim reclaim;
    Sums sums{};  // of pages, up to and with this one
  };

  const Entry& entry(std::uint64_t number) const { return kept_[number - first_kept_]; }
  Sums sums(std::uint32_t pid, const Span& span) const;

  std::deque<Entry> kept_;
  std::uint64_t first_kept_ = 0;     // number of kept_.front()
  std::uint64_t dropped_to_ns_ = 0;  // what is not kept any more had ended by then
};

}  // namespace madvtrace
