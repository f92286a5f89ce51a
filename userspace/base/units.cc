// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace madvtrace {
namespace {

constexpr double kLargestDurationNs = 1e4 * 3600 * 1e9;

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kDurationUnits{Unit{"ns", 1},  Unit{"us", 1e3}, Unit{"ms", 1e6},
                                    Unit{"s", 1e9}, Unit{"m", 60e9}, Unit{"h", 3600e9}};
constexpr std::array kByteUnits{Unit{"", 1}, Unit{"KiB", 1024.0}, Unit{"MiB", 1024.0 * 1024},
                                Unit{"GiB", 1024.0 * 1024 * 1024}};

// A plain decimal number ("12", "1.5") followed by exactly one of the units.
template <std::size_t N>
std::optional<double> parse_quantity(std::string_view text, const std::array<Unit, N>& units) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, digits);
  const std::string_view suffix = digits == std::string_view::npos ? std::string_view{} : text.substr(digits);
  double value = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (number.empty() || error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  for (const Unit& unit : units) {
    if (suffix == unit.name) return value * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_duration_ns(std::string_view text) {
  const std::optional<double> value = parse_quantity(text, kDurationUnits);
  if (!value || *value < 1 || *value > kLargestDurationNs) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(*value));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const std::optional<double> value = parse_quantity(text, kByteUnits);
  constexpr double kLargest = 1e18;
  if (!value || *value < 1 || *value > kLargest) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::optional<double> parse_percent(std::string_view text) {
  constexpr std::array kPercent{Unit{"%", 0.01}};
  const std::optional<double> value = parse_quantity(text, kPercent);
  if (!value || *value <= 0 || *value > 1) return std::nullopt;
  return value;
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kNames{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 1023.95 would print as "1024.0".
  while (value >= 1023.95 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  return fmt::format("{:.1f} {}", value, kNames[unit]);
}

std::string format_bytes_delta(std::int64_t bytes) {
  const std::uint64_t magnitude = bytes < 0 ? 0 - static_cast<std::uint64_t>(bytes) : static_cast<std::uint64_t>(bytes);
  return (bytes < 0 ? "-" : "+") + format_bytes(magnitude);
}

std::string format_duration(std::uint64_t nanoseconds) {
  const double seconds = static_cast<double>(nanoseconds) / 1e9;
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

std::string format_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace madvtrace
