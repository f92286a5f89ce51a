// SPDX-License-Identifier: Apache-2.0
#include "sinks/csv_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace madvtrace {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes of the UTF-8 sequence at the start of `text`, 0 if there is none (Unicode
// 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_bytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const auto continues = [&](std::size_t at, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(at) >= low && byte(at) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

std::string printable(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = sequence_bytes(bytes);
    if (length == 0) {
      text += kReplacement;
      bytes.remove_prefix(1);
    } else if (is_control(bytes.front())) {
      fmt::format_to(std::back_inserter(text), "\\x{:02x}", static_cast<unsigned char>(bytes.front()));
      bytes.remove_prefix(1);
    } else {
      text += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return text;
}

void CsvLine::separate() {
  if (!first_) out_ += ',';
  first_ = false;
}

void CsvLine::plain(std::string_view value) {
  separate();
  out_ += value;
}

void CsvLine::text(std::string_view value) {
  separate();
  const std::string safe = printable(value);
  // A leading or trailing blank would be lost on readers that trim.
  const bool quote = safe.find_first_of(",\"") != std::string::npos || safe.starts_with(' ') || safe.ends_with(' ');
  if (!quote) {
    out_ += safe;
    return;
  }
  out_ += '"';
  for (const char c : safe) {
    if (c == '"') out_ += '"';
    out_ += c;
  }
  out_ += '"';
}

void CsvLine::hex(std::optional<std::uint64_t> value) {
  separate();
  if (value) fmt::format_to(std::back_inserter(out_), "{:#x}", *value);
}

void CsvLine::write_signed(std::int64_t value) {
  separate();
  const fmt::format_int text(value);
  out_.append(text.data(), text.size());
}

void CsvLine::write_unsigned(std::uint64_t value) {
  separate();
  const fmt::format_int text(value);
  out_.append(text.data(), text.size());
}

std::string cut_utf8(std::string text, std::size_t bytes) {
  const auto continues = [&] { return (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U; };
  while (bytes != 0 && bytes < text.size() && continues()) --bytes;
  text.resize(std::min(bytes, text.size()));
  return text;
}

}  // namespace madvtrace
