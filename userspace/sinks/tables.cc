// SPDX-License-Identifier: Apache-2.0
#include "sinks/tables.h"

#include <string_view>
#include <tuple>

#include "model/names.h"
#include "sinks/csv_field.h"
#include "sinks/sample_columns.h"

namespace madvtrace {
namespace {

std::optional<std::uint32_t> or_none(std::uint32_t pid) { return pid == 0 ? std::nullopt : std::optional(pid); }

// A column is its name and what it writes of a row: `write(line, row)` adds one field.
template <class Write>
struct Column {
  std::string_view name;
  Write write;
};
template <class Write>
Column(const char*, Write) -> Column<Write>;

// The columns that are a member of the row, written as CsvLine writes its type.
template <class Row, class Value>
constexpr auto number(const char* name, Value Row::*member) {
  return Column{name, [member](CsvLine& line, const Row& row) { line.number(row.*member); }};
}

template <class Columns>
std::string header_of(const Columns& columns) {
  std::string header;
  std::apply([&](const auto&... column) { (header.append(column.name).append(1, ','), ...); }, columns);
  header.back() = '\n';
  return header;
}

template <class Columns, class Row>
void append(std::string& out, const Columns& columns, const Row& row) {
  CsvLine line(out);
  std::apply([&](const auto&... column) { (column.write(line, row), ...); }, columns);
  line.end();
}

constexpr std::tuple kCallColumns{
    number("ts_ns", &CallRow::ts_ns),
    number("mono_ns", &CallRow::mono_ns),
    Column{"pid", [](CsvLine& line, const CallRow& row) { line.number(or_none(row.pid)); }},
    Column{"tid", [](CsvLine& line, const CallRow& row) { line.number(or_none(row.tid)); }},
    Column{"comm", [](CsvLine& line, const CallRow& row) { line.text(comm_text(row.comm)); }},
    number("cgroup_id", &CallRow::cgroup_id),
    Column{"call", [](CsvLine& line, const CallRow& row) { line.plain(kCallNames[row.call]); }},
    Column{"advice", [](CsvLine& line, const CallRow& row) { line.plain(row.advice ? advice_name(*row.advice) : ""); }},
    Column{"addr", [](CsvLine& line, const CallRow& row) { line.hex(row.addr); }},
    number("len_bytes", &CallRow::len_bytes),
    number("ret", &CallRow::ret),
    number("dur_ns", &CallRow::dur_ns),
    number("resident_bytes", &CallRow::resident_bytes),
    number("lazyfree_bytes", &CallRow::lazyfree_bytes),
    number("swap_bytes", &CallRow::swap_bytes),
    number("rss_delta_bytes", &CallRow::rss_delta_bytes),
    Column{"quality",
           [](CsvLine& line, const CallRow& row) { line.plain(row.quality ? kQualityNames[*row.quality] : ""); }},
    Column{"cause", [](CsvLine& line, const CallRow& row) { line.plain(row.cause ? kCauseNames[*row.cause] : ""); }},
    number("stack_id", &CallRow::stack_id),
};

constexpr std::tuple kReleaseColumns{
    number("release_id", &ReleaseRow::release_id),
    number("pid", &ReleaseRow::pid),
    number("tid", &ReleaseRow::tid),
    Column{"call", [](CsvLine& line, const ReleaseRow& row) { line.plain(kCallNames[row.call]); }},
    Column{"advice",
           [](CsvLine& line, const ReleaseRow& row) { line.plain(row.advice ? advice_name(*row.advice) : ""); }},
    Column{"addr", [](CsvLine& line, const ReleaseRow& row) { line.hex(row.range.begin); }},
    Column{"len_bytes", [](CsvLine& line, const ReleaseRow& row) { line.number(row.range.bytes()); }},
    number("resident_bytes", &ReleaseRow::resident_bytes),
    number("released_ts_ns", &ReleaseRow::released_ts_ns),
    Column{"stage", [](CsvLine& line, const ReleaseRow& row) { line.plain(is_return(row.fate) ? "return" : "leave"); }},
    Column{"fate", [](CsvLine& line, const ReleaseRow& row) { line.plain(kFateNames[row.fate]); }},
    number("bytes", &ReleaseRow::bytes),
    number("delay_min_ns", &ReleaseRow::delay_min_ns),
    number("delay_max_ns", &ReleaseRow::delay_max_ns),
    Column{"by", [](CsvLine& line, const ReleaseRow& row) { line.plain(row.by ? kReclaimerNames[*row.by] : ""); }},
    Column{"quality", [](CsvLine& line, const ReleaseRow& row) { line.plain(kQualityNames[row.quality]); }},
    Column{"cause", [](CsvLine& line, const ReleaseRow& row) { line.plain(row.cause ? kCauseNames[*row.cause] : ""); }},
    number("stack_id", &ReleaseRow::stack_id),
};

constexpr std::tuple kStackColumns{
    number("stack_id", &StackRow::stack_id),
    Column{"frames", [](CsvLine& line, const StackRow& row) { line.text(row.frames); }},
};

constexpr std::tuple kRssColumns{
    number("ts_ns", &RssRow::ts_ns),
    number("mono_ns", &RssRow::mono_ns),
    number("pid", &RssRow::pid),
    Column{"cause", [](CsvLine& line, const RssRow& row) { line.plain(kRssCauseNames[row.cause]); }},
    Column{"by", [](CsvLine& line, const RssRow& row) { line.plain(row.by ? kReclaimerNames[*row.by] : ""); }},
    number("gained_bytes", &RssRow::gained_bytes),
    number("lost_bytes", &RssRow::lost_bytes),
    Column{"rss_delta_bytes", [](CsvLine& line, const RssRow& row) { line.number(row.rss_delta_bytes()); }},
    number("anon_delta_bytes", &RssRow::anon_delta_bytes),
    number("file_delta_bytes", &RssRow::file_delta_bytes),
    number("shmem_delta_bytes", &RssRow::shmem_delta_bytes),
    number("swap_delta_bytes", &RssRow::swap_delta_bytes),
    Column{"quality", [](CsvLine& line, const RssRow& row) { line.plain(kQualityNames[row.quality]); }},
};

// Gives the header of the table whose rows are of this type.
std::string header_for(const CallRow*) { return header_of(kCallColumns); }
std::string header_for(const ReleaseRow*) { return header_of(kReleaseColumns); }
std::string header_for(const SampleRow*) { return std::string(sample_columns()); }
std::string header_for(const StackRow*) { return header_of(kStackColumns); }
std::string header_for(const RssRow*) { return header_of(kRssColumns); }

}  // namespace

template <class Row>
const std::string& header_line() {
  static const std::string kHeader = header_for(static_cast<const Row*>(nullptr));
  return kHeader;
}

template const std::string& header_line<CallRow>();
template const std::string& header_line<ReleaseRow>();
template const std::string& header_line<SampleRow>();
template const std::string& header_line<StackRow>();
template const std::string& header_line<RssRow>();

void append_line(std::string& out, const CallRow& row) { append(out, kCallColumns, row); }
void append_line(std::string& out, const ReleaseRow& row) { append(out, kReleaseColumns, row); }
void append_line(std::string& out, const SampleRow& row) { append_sample_line(out, row); }
void append_line(std::string& out, const StackRow& row) { append(out, kStackColumns, row); }
void append_line(std::string& out, const RssRow& row) { append(out, kRssColumns, row); }

}  // namespace madvtrace
