// SPDX-License-Identifier: Apache-2.0
// Between numbers with a unit and the text that people write and read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace madvtrace {

// "500ms", "5s", "2m", "1h", "1.5s", also "ns" and "us": nanoseconds. Nothing for
// what is not a duration, has no unit, is negative, zero, or over 10,000 hours.
std::optional<std::uint64_t> parse_duration_ns(std::string_view text);

// "64KiB", "16MiB", "1GiB" or plain bytes. Nothing for anything else, or zero.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

// "1%", "0.5%": 0.01, 0.005. Nothing for anything else, or what is not over 0 and at
// most 100%.
std::optional<double> parse_percent(std::string_view text);

// For people: "512.0 MiB", "4.0 KiB", "0 B".
std::string format_bytes(std::uint64_t bytes);
std::string format_bytes_delta(std::int64_t bytes);  // the same, always with its sign

// For people: "1.5 s", "250 ms", "2 min 5 s".
std::string format_duration(std::uint64_t nanoseconds);

// "8,192"
std::string format_count(std::uint64_t count);

}  // namespace madvtrace
