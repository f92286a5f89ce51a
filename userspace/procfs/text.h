// SPDX-License-Identifier: Apache-2.0
// The few text forms that every file of /proc is made of. Pure functions over
// text that may be anything: nothing is read outside of the view, no number wraps.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace madvtrace {

// Cuts the text before the first `separator` off `rest` and returns it; the whole
// rest if there is none. Loops end on rest.empty().
constexpr std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return head;
}

// Without the blanks and tabs at both ends.
std::string_view trim(std::string_view text);

// The whole text as a number: no sign for unsigned types, no blanks, no prefix.
template <class Integer>
std::optional<Integer> parse_integer(std::string_view text, int base = 10) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "    1608 kB" -> 1646592. The kernel's kB is 1024 bytes.
std::optional<std::uint64_t> parse_kb_as_bytes(std::string_view text);

// "Key:   value" -> key and value, trimmed. Nothing where there is no colon.
struct KeyValue {
  std::string_view key;
  std::string_view value;
};
std::optional<KeyValue> parse_key_value(std::string_view line);

// A path as the kernel prints it, with or without the " (deleted)" that follows
// the name of an unlinked file (maps, /proc/PID/exe) or of a removed cgroup. A file
// that somebody named "x (deleted)" cannot be told from a deleted "x".
struct PrintedPath {
  std::string_view path;
  bool deleted = false;
};
PrintedPath split_deleted(std::string_view printed);

}  // namespace madvtrace
