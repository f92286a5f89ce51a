// SPDX-License-Identifier: Apache-2.0
// The two clocks of the output: ts_ns is UTC since the epoch (CLOCK_REALTIME),
// mono_ns is CLOCK_MONOTONIC, which the kernel side stamps records with.
#pragma once

#include <cstdint>
#include <ctime>

namespace madvtrace {

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

inline std::uint64_t mono_now_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline std::uint64_t utc_now_ns() { return clock_ns(CLOCK_REALTIME); }

}  // namespace madvtrace
