// SPDX-License-Identifier: Apache-2.0
#include "tests/support/csv_table.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace madvtrace {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  std::size_t line() const { return line_; }

  Result<std::vector<std::string>> read_line() {
    std::vector<std::string> fields;
    for (;;) {
      MADV_TAKE(std::string field, next() == '"' ? quoted() : plain());
      fields.push_back(std::move(field));
      if (at_end()) return failure("the last line does not end");
      const char c = text_[at_++];
      if (c == '\n') {
        ++line_;
        return fields;
      }
      if (c != ',') return failure("text behind a quoted field");
    }
  }

 private:
  char next() const { return at_end() ? '\0' : text_[at_]; }
  tl::unexpected<Error> failure(const std::string& what) const {
    return fail("line " + std::to_string(line_) + ": " + what);
  }

  Result<std::string> plain() {
    const std::size_t begin = at_;
    while (!at_end() && next() != ',' && next() != '\n') {
      if (next() == '"') return failure("a quote inside a field that is not quoted");
      if (next() == '\r') return failure("a carriage return");
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<std::string> quoted() {
    std::string value;
    for (++at_;; ++at_) {
      if (at_end()) return failure("a quoted field does not end");
      if (next() == '"') {
        ++at_;
        if (next() != '"') return value;
      }
      value += next();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

Result<CsvTable> CsvTable::parse(std::string_view text) {
  Reader reader(text);
  CsvTable table;
  MADV_TAKE(table.columns_, reader.read_line());
  for (std::size_t i = 0; i < table.columns_.size(); ++i) {
    if (!table.index_.emplace(table.columns_[i], i).second) return fail("two columns named " + table.columns_[i]);
  }
  while (!reader.at_end()) {
    const std::size_t line = reader.line();
    MADV_TAKE(std::vector<std::string> fields, reader.read_line());
    if (fields.size() != table.columns_.size()) {
      return fail("line " + std::to_string(line) + " has " + std::to_string(fields.size()) + " fields, the header " +
                  std::to_string(table.columns_.size()));
    }
    table.rows_.push_back(std::move(fields));
  }
  return table;
}

Result<CsvTable> CsvTable::read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("cannot open " + path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Result<CsvTable> table = parse(text);
  if (!table) return fail(path + ": " + table.error().message);
  return table;
}

const std::string& CsvTable::at(std::size_t row, const std::string& column) const {
  const auto found = index_.find(column);
  if (found == index_.end()) throw std::out_of_range("no column " + column);
  return rows_.at(row)[found->second];
}

std::optional<std::int64_t> CsvTable::number(std::size_t row, const std::string& column) const {
  std::string_view field = at(row, column);
  if (field.empty()) return std::nullopt;
  const bool hex = field.starts_with("0x");
  if (hex) field.remove_prefix(2);
  const char* const end = field.data() + field.size();
  std::int64_t value = 0;
  auto parsed = std::from_chars(field.data(), end, value, hex ? 16 : 10);
  if (parsed.ec != std::errc{} || parsed.ptr != end) {
    std::uint64_t large = 0;  // an address or id in the upper half
    parsed = std::from_chars(field.data(), end, large, hex ? 16 : 10);
    if (parsed.ec != std::errc{} || parsed.ptr != end) {
      throw std::invalid_argument("no integer in column " + column + ": " + text(row));
    }
    value = static_cast<std::int64_t>(large);
  }
  return value;
}

std::vector<std::size_t> CsvTable::rows_where(const std::string& column, const std::string& value) const {
  std::vector<std::size_t> found;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (at(row, column) == value) found.push_back(row);
  }
  return found;
}

std::string CsvTable::text(std::size_t row) const {
  std::string line;
  for (const std::string& field : rows_.at(row)) line += (line.empty() ? "" : ",") + field;
  return line;
}

}  // namespace madvtrace
