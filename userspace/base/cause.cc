// SPDX-License-Identifier: Apache-2.0
#include "base/cause.h"

#include <algorithm>
#include <array>

namespace madvtrace {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, kCauses + 1> kNames{
    "background",
    "freeosmemory",
    "memory-limit",
    "heap-growth",
    "heap-reserve",
    "reuse",
    "runtime-metadata",
    "arena",
    "app",
    "malloc",
    "cgo",
    "unknown",
    "heap-growth-or-memory-limit",
};

}  // namespace

std::string_view cause_name(Cause cause) { return kNames.at(static_cast<std::size_t>(cause)); }

std::optional<Cause> cause_named(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Cause>(found - kNames.begin());
}

}  // namespace madvtrace
