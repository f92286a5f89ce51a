// SPDX-License-Identifier: Apache-2.0
// One line of CSV, field by field (RFC 4180, LF): text is quoted where it has to be,
// numbers are plain integers, what is unknown is empty.
//
// Text is written as UTF-8 whatever the program put there: bytes that are not become
// U+FFFD, and control characters \xNN, so that a line stays one line.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace madvtrace {

class CsvLine {
 public:
  explicit CsvLine(std::string& out) : out_(out) {}

  void text(std::string_view value);
  void plain(std::string_view value);  // a name of ours: needs no quoting
  void hex(std::optional<std::uint64_t> value);
  void empty() { separate(); }

  template <std::integral T>
  void number(T value) {
    if constexpr (std::signed_integral<T>) {
      write_signed(value);
    } else {
      write_unsigned(value);
    }
  }
  template <std::integral T>
  void number(const std::optional<T>& value) {
    if (value) {
      number(*value);
    } else {
      empty();
    }
  }

  void end() { out_ += '\n'; }

 private:
  void separate();
  void write_signed(std::int64_t value);
  void write_unsigned(std::uint64_t value);

  std::string& out_;
  bool first_ = true;
};

// Valid UTF-8 on one line, whatever came in.
std::string printable(std::string_view bytes);

// The beginning of valid UTF-8, at most so many bytes, never cut in the middle of a
// character.
std::string cut_utf8(std::string text, std::size_t bytes);

}  // namespace madvtrace
