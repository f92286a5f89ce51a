// SPDX-License-Identifier: Apache-2.0
// Bytes for people, where they may not be known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"

namespace madvtrace {

// In a table.
inline std::string or_dash(const std::optional<std::uint64_t>& bytes) { return bytes ? format_bytes(*bytes) : "-"; }

// In a sentence.
inline std::string or_unknown(const std::optional<std::uint64_t>& bytes) {
  return bytes ? format_bytes(*bytes) : "unknown";
}

}  // namespace madvtrace
