// SPDX-License-Identifier: Apache-2.0
#include "model/go_side.h"

#include <algorithm>
#include <utility>

#include "base/arithmetic.h"

namespace madvtrace {

void GoSide::take(Outcome outcome, std::uint64_t bytes, std::uint64_t mono_ns) {
  const bool oldest_first = outcome == Outcome::kLeft;
  while (bytes != 0 && !piles_.empty()) {
    Pile& pile = oldest_first ? piles_.front() : piles_.back();
    const std::uint64_t part = std::min(bytes, pile.bytes);
    delays_.add(outcome, since(pile.since_ns, mono_ns), part);
    bytes -= part;
    pile.bytes -= part;
    if (pile.bytes != 0) return;
    if (oldest_first) {
      piles_.pop_front();
    } else {
      piles_.pop_back();
    }
  }
}

void GoSide::on_sample(std::uint64_t mono_ns, std::uint64_t idle_bytes) {
  const std::uint64_t released = std::exchange(newly_released_bytes_, 0);
  if (samples_++ == 0) {
    if (idle_bytes != 0) piles_.push_back({mono_ns, idle_bytes});
  } else {
    const double mean = (static_cast<double>(last_idle_bytes_) + static_cast<double>(idle_bytes)) / 2;
    idle_byte_ns_ += mean * static_cast<double>(since(last_ns_, mono_ns));
    const std::uint64_t accounted = idle_bytes + released;
    if (accounted >= last_idle_bytes_) {
      const std::uint64_t became_idle = accounted - last_idle_bytes_;
      if (became_idle != 0) piles_.push_back({last_ns_, became_idle});
    } else {
      take(Outcome::kOther, last_idle_bytes_ - accounted, mono_ns);
    }
    take(Outcome::kLeft, released, mono_ns);
    if (piles_.size() > kPiles) {
      // The two that are idle longest become one, as old as the younger: at least so long.
      piles_[1].bytes += piles_[0].bytes;
      piles_.pop_front();
    }
  }
  last_idle_bytes_ = idle_bytes;
  last_ns_ = std::max(last_ns_, mono_ns);
}

void GoSide::finish() {
  for (const Pile& pile : piles_) delays_.add(Outcome::kPending, since(pile.since_ns, last_ns_), pile.bytes);
  piles_.clear();
}

}  // namespace madvtrace
