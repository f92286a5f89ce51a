// SPDX-License-Identifier: Apache-2.0
// These are the advices of madvise() and process_madvise() of which the model has to know
// what they do (uapi/asm-generic/mman-common.h). The names of all of them are in names.h.
#pragma once

#include <cstdint>
#include <optional>

namespace madvtrace {

inline constexpr std::int32_t kMadvDontneed = 4;
inline constexpr std::int32_t kMadvFree = 8;
inline constexpr std::int32_t kMadvRemove = 9;
inline constexpr std::int32_t kMadvPageout = 21;
inline constexpr std::int32_t kMadvPopulateRead = 22;
inline constexpr std::int32_t kMadvPopulateWrite = 23;
inline constexpr std::int32_t kMadvDontneedLocked = 24;
inline constexpr std::int32_t kMadvCollapse = 25;
inline constexpr std::int32_t kMadvGuardInstall = 102;

// MADV_DONTNEED or MADV_FREE: what Go's runtime gives memory of its heap back with.
constexpr bool gives_back(std::optional<std::int32_t> advice) { return advice == kMadvDontneed || advice == kMadvFree; }

// After these the same address can be touched again, and the page comes back; as
// can_come_back() of the kernel side.
constexpr bool can_come_back(std::optional<std::int32_t> advice) {
  return gives_back(advice) || advice == kMadvRemove || advice == kMadvPageout || advice == kMadvDontneedLocked;
}

}  // namespace madvtrace
