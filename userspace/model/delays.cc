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

}  // namespace

void Delays::add(Fate fate, std::uint64_t delay_ns, std::uint64_t bytes) {
  buckets_[bucket_end(delay_ns)][static_cast<std::size_t>(fate)] += bytes;
  bytes_[static_cast<std::size_t>(fate)] += bytes;
}

void Delays::add(const Delays& other) {
  for (const auto& [end_ns, bytes] : other.buckets_) {
    auto& bucket = buckets_[end_ns];
    for (std::size_t fate = 0; fate < kFates; ++fate) bucket[fate] += bytes[fate];
  }
  for (std::size_t fate = 0; fate < kFates; ++fate) bytes_[fate] += other.bytes_[fate];
}

std::uint64_t Delays::total_bytes() const { return std::accumulate(bytes_.begin(), bytes_.end(), std::uint64_t{0}); }

std::optional<std::uint64_t> Delays::left_after_ns(double share) const {
  auto at_risk = static_cast<double>(total_bytes());
  double none_yet = 1;  // share that has met no fate so far
  double left = 0;      // share that has left by the kernel's hand
  for (const auto& [end_ns, bytes] : buckets_) {
    if (at_risk <= 0) break;
    const auto of = [&bytes = bytes](Fate fate) { return static_cast<double>(bytes[static_cast<std::size_t>(fate)]); };
    const double pending = of(Fate::kPending);
    const double gone = of(Fate::kFreed) + of(Fate::kReclaimed);
    const double others = of(Fate::kRewritten) + of(Fate::kSuperseded) + of(Fate::kUnmapped) + of(Fate::kExited);
    left += none_yet * gone / at_risk;
    if (left >= share - 1e-12) return end_ns;
    none_yet *= 1 - (gone + others) / at_risk;
    at_risk -= gone + others + pending;
  }
  return std::nullopt;
}

}  // namespace madvtrace
