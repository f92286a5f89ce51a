// SPDX-License-Identifier: Apache-2.0
// These are the advices of madvise() and process_madvise() of which the model has to know
// what they do. Their numbers are those of bpf/calls.h, which the kernel side shares; the
// names of all advices are in names.h.
#pragma once

#include <cstdint>
#include <optional>

#include "bpf/calls.h"

namespace madvtrace {

inline constexpr std::int32_t kMadvDontneed = ADVICE_DONTNEED;
inline constexpr std::int32_t kMadvFree = ADVICE_FREE;
inline constexpr std::int32_t kMadvRemove = ADVICE_REMOVE;
inline constexpr std::int32_t kMadvPageout = ADVICE_PAGEOUT;
inline constexpr std::int32_t kMadvPopulateWrite = ADVICE_POPULATE_WRITE;
inline constexpr std::int32_t kMadvDontneedLocked = ADVICE_DONTNEED_LOCKED;
inline constexpr std::int32_t kMadvGuardInstall = ADVICE_GUARD_INSTALL;

// MADV_DONTNEED or MADV_FREE: what Go's runtime gives memory of its heap back with.
constexpr bool gives_back(std::optional<std::int32_t> advice) {
  const std::int32_t value = advice.value_or(0);
  return value == kMadvDontneed || value == kMadvFree;
}

// After these the same address can be touched again, and the page comes back.
inline bool can_come_back(std::optional<std::int32_t> advice) { return advice && advice_can_come_back(*advice); }

}  // namespace madvtrace
