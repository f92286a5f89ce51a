// SPDX-License-Identifier: Apache-2.0
// What the summaries say of pages that left RSS and were touched again (--refaults).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "model/returns.h"

namespace madvtrace {

// `fault_ns`: CPU time of one fault; what the faults cost is unknown without it.
nlohmann::ordered_json returns_json(const ReturnTotals& returns, std::optional<std::uint64_t> fault_ns);

// Indented lines for one process; empty if nothing left RSS that could come back.
std::string returns_text(const ReturnTotals& returns, std::optional<std::uint64_t> fault_ns);

}  // namespace madvtrace
