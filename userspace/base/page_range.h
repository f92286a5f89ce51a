// SPDX-License-Identifier: Apache-2.0
// Addresses and pages. Every size in the tool is in bytes unless its name says
// pages; a page is the kernel's base page, 4 KiB on x86-64.
#pragma once

#include <algorithm>
#include <cstdint>

namespace madvtrace {

inline constexpr std::uint64_t kPageBytes = 4096;

constexpr std::uint64_t page_floor(std::uint64_t address) { return address & ~(kPageBytes - 1); }
// Saturates instead of wrapping: what comes from a traced program may be anything.
constexpr std::uint64_t page_ceil(std::uint64_t address) {
  return address > UINT64_MAX - (kPageBytes - 1) ? page_floor(UINT64_MAX) : page_floor(address + kPageBytes - 1);
}

// [begin, end), empty if begin >= end.
struct AddressRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  // The pages that a call with this address and length touches: the kernel rounds
  // the length up.
  static constexpr AddressRange of_call(std::uint64_t address, std::uint64_t bytes) {
    const std::uint64_t begin = page_floor(address);
    const std::uint64_t end = bytes > UINT64_MAX - address ? UINT64_MAX : address + bytes;
    return {begin, page_ceil(end)};
  }

  constexpr bool empty() const { return begin >= end; }
  constexpr std::uint64_t bytes() const { return empty() ? 0 : end - begin; }
  constexpr bool overlaps(const AddressRange& other) const { return begin < other.end && other.begin < end; }
  constexpr AddressRange intersection(const AddressRange& other) const {
    return {std::max(begin, other.begin), std::min(end, other.end)};
  }
  friend constexpr bool operator==(const AddressRange&, const AddressRange&) = default;
};

}  // namespace madvtrace
