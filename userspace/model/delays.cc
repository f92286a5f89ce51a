// SPDX-License-Identifier: Apache-2.0
#include "model/delays.h"

#include <bit>
#include <numeric>

namespace madvtrace {
namespace {

constexpr unsigned kBucketBits = 4;

// The largest value that shares a bucket with this one.
std::uint64_t bucket_end(std::uint64_t value) {
  const unsigned width = static_cast<unsigned>(std::bit_width(value));
  if (width <= kBucketBits + 1) return value;
  const unsigned dropped = width - kBucketBits - 1;
  return value | ((std::uint64_t{1} << dropped) - 1);
}

DelayCurve::Outcome outcome_of(Fate fate) {
  if (fate == Fate::kPending) return DelayCurve::Outcome::kPending;
  return fate == Fate::kFreed || fate == Fate::kReclaimed ? DelayCurve::Outcome::kLeft : DelayCurve::Outcome::kOther;
}

}  // namespace

void DelayCurve::add(Outcome outcome, std::uint64_t delay_ns, std::uint64_t bytes) {
  buckets_[bucket_end(delay_ns)][static_cast<std::size_t>(outcome)] += bytes;
  bytes_[static_cast<std::size_t>(outcome)] += bytes;
}

void DelayCurve::add(const DelayCurve& other) {
  const auto add_to = [](Bytes& sum, const Bytes& part) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
  };
  for (const auto& [end_ns, bytes] : other.buckets_) add_to(buckets_[end_ns], bytes);
  add_to(bytes_, other.bytes_);
}

std::uint64_t DelayCurve::total_bytes() const {
  return std::accumulate(bytes_.begin(), bytes_.end(), std::uint64_t{0});
}

std::optional<std::uint64_t> DelayCurve::left_after_ns(double share) const {
  auto at_risk = static_cast<double>(total_bytes());
  double none_yet = 1;  // share that has had no outcome so far
  double left = 0;      // share that has left
  for (const auto& [end_ns, bytes] : buckets_) {
    if (at_risk <= 0) break;
    const auto of = [&bytes = bytes](Outcome outcome) {
      return static_cast<double>(bytes[static_cast<std::size_t>(outcome)]);
    };
    const double gone = of(Outcome::kLeft);
    const double others = of(Outcome::kOther);
    left += none_yet * gone / at_risk;
    if (left >= share - 1e-12) return end_ns;
    none_yet *= 1 - (gone + others) / at_risk;
    at_risk -= gone + others + of(Outcome::kPending);
  }
  return std::nullopt;
}

void Delays::add(Fate fate, std::uint64_t delay_ns, std::uint64_t bytes) {
  curve_.add(outcome_of(fate), delay_ns, bytes);
  bytes_.at(static_cast<std::size_t>(fate)) += bytes;
}

void Delays::add(const Delays& other) {
  curve_.add(other.curve_);
  for (std::size_t fate = 0; fate < kFates; ++fate) bytes_[fate] += other.bytes_[fate];
}

}  // namespace madvtrace
