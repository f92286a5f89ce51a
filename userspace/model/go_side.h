// SPDX-License-Identifier: Apache-2.0
// GoSide follows the first stage of a release: it says how long memory lay idle in the Go
// heap before the runtime gave it back, from the runtime's books and from its calls.
//
// A sample says how much is idle and not released; between two samples the calls say how
// much was given back. What is more idle than that explains has become idle meanwhile,
// what is less was taken into use again. Which bytes went is not told: the distribution
// takes the longest idle for released first, and the last to become idle for used again
// first, so it is of quality `sampled`. The sum over time, and so the mean, does not
// depend on that. What was idle at the first sample counts from then on: at least so long.
//
// It is pure, and takes 16 bytes a sample, for at most kPiles of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "model/delays.h"

namespace madvtrace {

class GoSide {
 public:
  static constexpr std::size_t kPiles = 4096;

  // The runtime gave so many bytes back since the last sample.
  void on_released(std::uint64_t bytes) { newly_released_bytes_ += bytes; }
  void on_sample(std::uint64_t mono_ns, std::uint64_t idle_bytes);
  // What is idle still goes on being so.
  void finish();

  bool known() const { return samples_ != 0; }
  double idle_byte_seconds() const { return idle_byte_ns_ / 1e9; }
  std::uint64_t released_bytes() const { return delays_.bytes(Outcome::kLeft); }  // given back
  std::uint64_t reused_bytes() const { return delays_.bytes(Outcome::kOther); }   // taken into use again
  std::uint64_t idle_bytes() const { return delays_.bytes(Outcome::kPending); }   // still idle, after finish()
  // The delay after which this share of all that was idle had been given back.
  std::optional<std::uint64_t> released_after_ns(double share) const { return delays_.left_after_ns(share); }

 private:
  using Outcome = DelayCurve::Outcome;

  struct Pile {
    std::uint64_t since_ns = 0;
    std::uint64_t bytes = 0;
  };

  // kLeft takes what is idle longest, kOther what became idle last.
  void take(Outcome outcome, std::uint64_t bytes, std::uint64_t mono_ns);

  std::deque<Pile> piles_;  // the longest idle in front
  DelayCurve delays_;
  std::uint64_t newly_released_bytes_ = 0;  // since the last sample
  std::uint64_t last_idle_bytes_ = 0;       // at the last sample
  std::uint64_t last_ns_ = 0;
  std::uint64_t samples_ = 0;
  double idle_byte_ns_ = 0;
};

}  // namespace madvtrace
