// SPDX-License-Identifier: Apache-2.0
#include "sinks/summary_rss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "model/names.h"
#include "sinks/json_value.h"
#include "sinks/paragraph.h"

namespace madvtrace {
namespace {

using Json = nlohmann::ordered_json;
using SourceAndPart = std::pair<RssTotals::Source, RssTotals::Part>;

constexpr std::uint64_t kPartsTooSmall = 200;  // 0.5% of all that ever was in RSS
constexpr std::uint64_t kPartsOneSided = 20;   // 5% of the other direction

std::uint64_t weight(const RssTotals::Part& part) { return std::max(part.gained_bytes, part.lost_bytes); }

std::string_view in_words(RssCause cause) {
  switch (cause) {
    case RssCause::kFault:
      return "faults";
    case RssCause::kRelease:
      return "releases";
    case RssCause::kKhugepaged:
      return "khugepaged";
    case RssCause::kOomReaper:
      return "OOM reaper";
    case RssCause::kOther:
      return "others";
    case RssCause::kReclaim:
      return "reclaim";
    case RssCause::kExit:
      return "exit";
  }
  return "";
}

std::string change(const RssTotals::Part& part) {
  const std::uint64_t smaller = std::min(part.gained_bytes, part.lost_bytes);
  if (smaller < weight(part) / kPartsOneSided) {
    return format_bytes_delta(static_cast<std::int64_t>(part.gained_bytes - part.lost_bytes));
  }
  return fmt::format("+{} and -{}", format_bytes(part.gained_bytes), format_bytes(part.lost_bytes));
}

}  // namespace

Json rss_json(const RssTotals& totals) {
  Json json;
  json["start_rss_bytes"] = or_null(totals.start_rss_bytes);
  json["start_swap_bytes"] = or_null(totals.start_swap_bytes);
  json["causes"] = Json::array();
  for (const auto& [source, part] : totals.sources) {
    json["causes"].push_back({{"cause", kRssCauseNames[source.cause]},
                              {"by", source.by ? Json(kReclaimerNames[*source.by]) : Json(nullptr)},
                              {"gained_bytes", part.gained_bytes},
                              {"lost_bytes", part.lost_bytes},
                              {"swap_delta_bytes", part.swap_delta_bytes}});
  }
  json["overdrawn_bytes"] = totals.overdrawn_bytes;
  return json;
}

std::string rss_text(const RssTotals& totals) {
  std::vector<SourceAndPart> entries(totals.sources.begin(), totals.sources.end());
  std::uint64_t whole = totals.start_rss_bytes.value_or(0);
  for (const auto& [source, part] : entries) whole += part.gained_bytes;
  std::erase_if(entries, [&](const SourceAndPart& entry) {
    return weight(entry.second) <= std::max(whole, std::uint64_t{1}) / kPartsTooSmall;
  });
  std::stable_sort(entries.begin(), entries.end(),
                   [](const SourceAndPart& a, const SourceAndPart& b) { return weight(a.second) > weight(b.second); });
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "RSS by cause: " : ", ") + part; };
  if (totals.start_rss_bytes) add(format_bytes(*totals.start_rss_bytes) + " at the start");
  bool after_reclaim = false;
  for (const auto& [source, part] : entries) {
    std::string name;
    if (!source.by || !after_reclaim) name = in_words(source.cause);
    if (source.by) name.append(name.empty() ? "" : " by ").append(kReclaimerNames[*source.by]);
    after_reclaim = source.by.has_value();
    add(name + " " + change(part));
  }
  return text.empty() ? "" : paragraph(text + ".");
}

}  // namespace madvtrace
