// SPDX-License-Identifier: Apache-2.0
#include "sinks/summary_returns.h"

#include <fmt/format.h>

#include <iterator>

#include "base/units.h"
#include "sinks/json_value.h"

namespace madvtrace {
namespace {

using Json = nlohmann::ordered_json;

std::optional<std::uint64_t> cpu_ns(const ReturnTotals::Part& part, std::optional<std::uint64_t> fault_ns) {
  return fault_ns ? std::optional(part.faults * *fault_ns) : std::nullopt;
}

Json part_json(const ReturnTotals::Part& part, std::optional<std::uint64_t> fault_ns) {
  return {{"bytes", part.bytes}, {"faults", part.faults}, {"fault_cpu_ns", or_null(cpu_ns(part, fault_ns))}};
}

}  // namespace

Json returns_json(const ReturnTotals& returns, std::optional<std::uint64_t> fault_ns) {
  Json json;
  json["left_bytes"] = returns.left_bytes;
  json["returned"] = part_json(returns.returned, fault_ns);
  json["collapsed_bytes"] = returns.collapsed_bytes;
  for (std::size_t i = 0; i < returns.within.size(); ++i) {
    const std::uint64_t seconds = ReturnTotals::kWithinNs.at(i) / 1'000'000'000;
    json[fmt::format("within_{}s", seconds)] = part_json(returns.within.at(i), fault_ns);
  }
  json["returned_p50_ns"] = or_null(returns.delays.left_after_ns(0.5));
  json["returned_p90_ns"] = or_null(returns.delays.left_after_ns(0.9));
  json["returned_p99_ns"] = or_null(returns.delays.left_after_ns(0.99));
  return json;
}

std::string returns_text(const ReturnTotals& returns, std::optional<std::uint64_t> fault_ns) {
  if (returns.left_bytes == 0) return "";
  if (returns.returned.bytes == 0) return "  Nothing that left RSS was touched again.\n";
  std::string text;
  const auto to = std::back_inserter(text);
  const double share = 100.0 * static_cast<double>(returns.returned.bytes) / static_cast<double>(returns.left_bytes);
  fmt::format_to(to, "  Touched again after it had left RSS: {} of {} ({:.0f}%), by {} {}\n",
                 format_bytes(returns.returned.bytes), format_bytes(returns.left_bytes), share,
                 format_count(returns.returned.faults), returns.returned.faults == 1 ? "fault" : "faults");
  fmt::format_to(to, "    within 1 s of the release {}, 10 s {}, 60 s {}\n", format_bytes(returns.within[0].bytes),
                 format_bytes(returns.within[1].bytes), format_bytes(returns.within[2].bytes));
  const auto half = returns.delays.left_after_ns(0.5);
  const auto most = returns.delays.left_after_ns(0.9);
  if (half && most) {
    fmt::format_to(to, "    half of it within {}, 90% within {}\n", format_duration(*half), format_duration(*most));
  }
  if (const auto cost_ns = cpu_ns(returns.returned, fault_ns)) {
    fmt::format_to(to, "    the faults took about {} of CPU time\n", format_duration(*cost_ns));
  }
  if (returns.collapsed_bytes != 0) {
    fmt::format_to(to, "    {} came back without being touched: khugepaged made huge pages of it\n",
                   format_bytes(returns.collapsed_bytes));
  }
  return text;
}

}  // namespace madvtrace
