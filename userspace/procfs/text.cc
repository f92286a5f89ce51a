// SPDX-License-Identifier: Apache-2.0
#include "procfs/text.h"

namespace madvtrace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::optional<std::uint64_t> parse_kb_as_bytes(std::string_view text) {
  constexpr std::string_view kSuffix = " kB";
  constexpr std::uint64_t kKbBytes = 1024;
  text = trim(text);
  if (!text.ends_with(kSuffix)) return std::nullopt;
  text.remove_suffix(kSuffix.size());
  const std::optional<std::uint64_t> kb = parse_integer<std::uint64_t>(text);
  if (!kb || *kb > UINT64_MAX / kKbBytes) return std::nullopt;
  return *kb * kKbBytes;
}

std::optional<KeyValue> parse_key_value(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return KeyValue{trim(line.substr(0, colon)), trim(line.substr(colon + 1))};
}

PrintedPath split_deleted(std::string_view printed) {
  constexpr std::string_view kMark = " (deleted)";
  if (!printed.ends_with(kMark)) return {printed, false};
  printed.remove_suffix(kMark.size());
  return {printed, true};
}

}  // namespace madvtrace
