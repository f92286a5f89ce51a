// SPDX-License-Identifier: Apache-2.0
// Reads a CSV table as strictly as RFC 4180 states it, but with LF line ends: a header,
// as many fields on each line as the header has, quotes only around whole fields, and
// a line end after the last line. What a lenient reader would accept is an error here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace madvtrace {

class CsvTable {
 public:
  static Result<CsvTable> parse(std::string_view text);
  static Result<CsvTable> read(const std::string& path);

  const std::vector<std::string>& columns() const { return columns_; }
  std::size_t size() const { return rows_.size(); }

  // The field as it stands. Asking for a column that is not there ends the test.
  const std::string& at(std::size_t row, const std::string& column) const;
  // Nothing for an empty field; a field that is no integer (decimal, or hex behind
  // 0x) ends the test.
  std::optional<std::int64_t> number(std::size_t row, const std::string& column) const;
  // The rows, in order, that hold `value` in `column`.
  std::vector<std::size_t> rows_where(const std::string& column, const std::string& value) const;
  bool has(const std::string& column) const { return index_.contains(column); }
  // The row, for a message.
  std::string text(std::size_t row) const;

 private:
  std::vector<std::string> columns_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace madvtrace
