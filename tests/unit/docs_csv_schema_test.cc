// SPDX-License-Identifier: Apache-2.0
// docs/csv-schema.md names what the code has, and nothing else.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/losses.h"
#include "sinks/tables.h"

namespace madvtrace {
namespace {

struct DocumentedRow {
  std::vector<std::string> names;
  std::optional<std::string> unit;  // empty: the table has no such column
};

std::vector<std::string> quoted_in(const std::string& cell) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while ((at = cell.find('`', at)) != std::string::npos) {
    const std::size_t end = cell.find('`', at + 1);
    if (end == std::string::npos) break;
    names.push_back(cell.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return names;
}

// Gives the rows of each table below a heading whose first column is called so.
std::vector<DocumentedRow> rows_below(const std::string& heading, const std::string& first_column) {
  std::ifstream file(MADVTRACE_UNIT_DIRECTORY "/../../docs/csv-schema.md");
  std::vector<DocumentedRow> rows;
  std::vector<std::string> header;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (!inside || !line.starts_with("| ")) {
      if (!line.starts_with("|---")) header.clear();
      continue;
    }
    std::vector<std::string> cells;
    std::istringstream rest(line.substr(1));
    for (std::string cell; std::getline(rest, cell, '|');) {
      const std::size_t begin = cell.find_first_not_of(' ');
      cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, cell.find_last_not_of(' ') + 1 - begin));
    }
    if (header.empty()) {
      header = cells;
    } else if (header.front() == first_column) {
      const bool has_unit = header.size() > 1 && header[1] == "unit";
      rows.push_back({.names = quoted_in(cells.front()),
                      .unit = has_unit && cells.size() > 1 ? std::optional(cells[1]) : std::nullopt});
    }
  }
  return rows;
}

// The name of a column ends in its unit; without one it is a count, or no number.
std::string unit_of(std::string_view column) {
  if (column.ends_with("_bytes") || column == "bytes") return "bytes";
  return column.ends_with("_ns") ? "ns" : "";
}

template <class Row>
void expect_documented(const std::string& heading) {
  std::map<std::string, std::optional<std::string>> documented;
  for (const DocumentedRow& row : rows_below(heading, "column")) {
    for (const std::string& name : row.names) documented.emplace(name, row.unit);
  }
  std::set<std::string> columns;
  std::istringstream header(header_line<Row>());
  for (std::string name; std::getline(header, name, ',');) {
    if (name.ends_with('\n')) name.pop_back();
    columns.insert(name);
    const auto found = documented.find(name);
    ASSERT_NE(found, documented.end()) << heading << " lacks " << name;
    if (!found->second) continue;
    // "ns, UTC"; an address stands beside its length.
    const std::string unit = found->second->substr(0, found->second->find(','));
    EXPECT_TRUE(name == "addr" || unit == unit_of(name)) << heading << ": " << name << " in " << unit;
  }
  for (const auto& [name, unit] : documented) EXPECT_TRUE(columns.contains(name)) << heading << " has no " << name;
}

TEST(CsvSchema, NamesEveryColumnWithItsUnit) {
  expect_documented<CallRow>("events.csv");
  expect_documented<ReleaseRow>("releases.csv");
  expect_documented<RssRow>("rss_changes.csv");
  expect_documented<StackRow>("stacks.csv");
}

// What RSS is made of stands in a table of its own, and as a range in the first.
TEST(CsvSchema, NamesEveryColumnOfASample) { expect_documented<SampleRow>("samples.csv"); }

TEST(CsvSchema, NamesEveryLoss) {
  std::set<std::string> documented;
  for (const DocumentedRow& row : rows_below("What can be lost: the causes in `lost`", "cause")) {
    documented.insert(row.names.begin(), row.names.end());
  }
  std::set<std::string> known;
  for (const LossKind& loss : kLosses) known.emplace(loss.name);
  EXPECT_EQ(documented, known);
}

}  // namespace
}  // namespace madvtrace
