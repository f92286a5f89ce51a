// SPDX-License-Identifier: Apache-2.0
// Delays says how long released bytes stayed in RSS: distributions weighted by bytes, in which
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

// A curve is of bytes of anything, each of which has one of three outcomes.
class DelayCurve {
 public:
  enum class Outcome : std::uint8_t {
    kLeft,     // what is asked for
    kOther,    // a competing one: it never will
    kPending,  // not yet; the delay is how long so far
  };

  void add(Outcome outcome, std::uint64_t delay_ns, std::uint64_t bytes);
  void add(const DelayCurve& other);

  std::uint64_t bytes(Outcome outcome) const { return bytes_[static_cast<std::size_t>(outcome)]; }
  std::uint64_t total_bytes() const;

  // The delay after which this share (0 to 1) of all bytes had left, estimated as
  // cumulative incidence (Aalen-Johansen); nothing if so many never did.
  std::optional<std::uint64_t> left_after_ns(double share) const;

 private:
  using Bytes = std::array<std::uint64_t, 3>;  // by outcome

  std::map<std::uint64_t, Bytes> buckets_;  // by their upper ends in nanoseconds
  Bytes bytes_{};
};

// These are of released bytes, by fate in stage `leave`. Those that the kernel took, in the call
// (freed) or later (reclaimed), have left.
class Delays {
 public:
  // kPending: `delay_ns` is how long it has been pending.
  void add(Fate fate, std::uint64_t delay_ns, std::uint64_t bytes);
  void add(const Delays& other);

  std::uint64_t bytes(Fate fate) const { return bytes_.at(static_cast<std::size_t>(fate)); }
  std::uint64_t total_bytes() const { return curve_.total_bytes(); }
  std::optional<std::uint64_t> left_after_ns(double share) const { return curve_.left_after_ns(share); }

 private:
  DelayCurve curve_;
  std::array<std::uint64_t, kFates> bytes_{};
};

using DelaysByKind = std::map<ReleaseKind, Delays>;

}  // namespace madvtrace
