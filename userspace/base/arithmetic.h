// SPDX-License-Identifier: Apache-2.0
// Sums and differences of numbers that can be anything, as in a hostile recording.
#pragma once

#include <cstdint>

namespace madvtrace {

// 0 if `to_ns` is the earlier of the two.
constexpr std::uint64_t since(std::uint64_t from_ns, std::uint64_t to_ns) {
  return to_ns > from_ns ? to_ns - from_ns : 0;
}

// Where two signed numbers may add up to more than there is room for, which must do no harm.
constexpr std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace madvtrace
