// SPDX-License-Identifier: Apache-2.0
// What the summaries say of the causes of RSS changes (--exact).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "model/rss_ledger.h"

namespace madvtrace {

nlohmann::ordered_json rss_json(const RssTotals& totals);

// An indented paragraph, the largest cause first; causes too small to matter are left out.
// Empty if RSS was nothing and did not change.
std::string rss_text(const RssTotals& totals);

}  // namespace madvtrace
