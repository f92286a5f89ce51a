// SPDX-License-Identifier: Apache-2.0
// How long released bytes stayed in RSS: distributions weighted by bytes, in which
// `pending` is right-censored and a page that was rewritten, released again, unmapped
// or lost with its process had a competing fate. So "90% after 4 s" never hides bytes
// that did not go.
//
// A delay known as an interval counts at its end: nothing is said to have left sooner
// than it is known to. Delays are kept in buckets of 1/16 of a power of two.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "model/rows.h"

namespace madvtrace {

using ReleaseKind = std::pair<CallKind, std::optional<std::int32_t>>;

class Delays {
 public:
  // kPending: `delay_ns` is how long it has been pending.
  void add(Fate fate, std::uint64_t delay_ns, std::uint64_t bytes);

  void add(const Delays& other);

  std::uint64_t bytes(Fate fate) const { return bytes_[static_cast<std::size_t>(fate)]; }
  std::uint64_t total_bytes() const;

  // The delay after which this share (0 to 1) of all released bytes had left RSS by
  // the kernel's hand (freed, reclaimed), estimated as cumulative incidence
  // (Aalen-Johansen); nothing if so many never did.
  std::optional<std::uint64_t> left_after_ns(double share) const;

 private:
  // Upper end of a bucket in nanoseconds -> bytes of each fate.
  std::map<std::uint64_t, std::array<std::uint64_t, kFates>> buckets_;
  std::array<std::uint64_t, kFates> bytes_{};
};

using DelaysByKind = std::map<ReleaseKind, Delays>;

}  // namespace madvtrace
