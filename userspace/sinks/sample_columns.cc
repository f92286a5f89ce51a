// SPDX-License-Identifier: Apache-2.0
#include "sinks/sample_columns.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/waterfall.h"
#include "sinks/csv_field.h"

namespace madvtrace {
namespace {

constexpr std::string_view kSampleColumns =
    "ts_ns,mono_ns,pid,rss_bytes,rss_anon_bytes,rss_file_bytes,rss_shmem_bytes,swap_bytes,lazyfree_bytes,"
    "pending_bytes,page_tables_bytes,anon_huge_bytes,cgroup_usage_bytes,cgroup_working_set_bytes,"
    "cgroup_inactive_file_bytes,cgroup_limit_bytes,go_heap_sys_bytes,go_heap_inuse_bytes,go_heap_idle_bytes,"
    "go_heap_released_bytes,go_stack_inuse_bytes,go_next_gc_bytes,go_num_gc,go_pause_total_ns,go_mallocs,go_frees,"
    "cgroup_deferred_split_bytes,go_mapped_ready_bytes,go_memory_limit_bytes,go_gc_percent,go_metadata_sys_bytes,"
    "rss_heap_inuse_bytes,rss_heap_idle_bytes,rss_lazyfree_bytes,rss_stacks_bytes,rss_runtime_bytes,"
    "rss_file_backed_bytes,rss_other_anon_bytes,rss_unexplained_bytes,rss_locked_bytes,cgroup_shmem_bytes,"
    "cgroup_kernel_bytes,cgroup_active_file_bytes\n";

// A number of either sign, or none.
struct Number {
  std::optional<std::int64_t> negative;
  std::optional<std::uint64_t> positive;

  Number& operator=(const std::optional<std::uint64_t>& value) {
    positive = value;
    return *this;
  }
  Number& operator=(const std::optional<std::int64_t>& value) {
    if (value && *value < 0) {
      negative = value;
    } else if (value) {
      positive = static_cast<std::uint64_t>(*value);
    }
    return *this;
  }
};

// Calls f(prefix, name, value) for everything that a row holds, always in the same order.
template <class F>
void for_each_row_value(const SampleRow& row, F&& f) {
  using Known = std::optional<std::uint64_t>;
  f("", "ts_ns", Known(row.ts_ns));
  f("", "mono_ns", Known(row.mono_ns));
  f("", "pid", row.pid == 0 ? std::nullopt : Known(row.pid));
  f("", "pending_bytes", row.pending_bytes);
  for_each_sample_value(row.sample, f);
  // The sums of a group do not say what they are made of.
  const std::optional<Waterfall> parts = row.pid == 0 ? std::nullopt : waterfall_of(row.sample);
  for_each_field(kWaterfallFields, [&](const auto& field) {
    using Value = std::decay_t<decltype(Waterfall{}.*field.member)>;
    if constexpr (std::is_integral_v<Value>) {
      f("rss_", field.name, parts ? std::optional<Value>((*parts).*field.member) : std::nullopt);
    } else {
      f("rss_", field.name, parts ? (*parts).*field.member : std::nullopt);
    }
  });
}

// For each column, which of the values of a row it is.
std::vector<std::size_t> values_of_columns() {
  std::vector<std::string> names;
  for_each_row_value(SampleRow{}, [&](std::string_view prefix, std::string_view name, const auto&) {
    names.push_back(std::string(prefix).append(name));
  });
  std::vector<std::size_t> values;
  std::string_view rest = kSampleColumns.substr(0, kSampleColumns.size() - 1);
  while (!rest.empty()) {
    const std::string_view column = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), column.size() + 1));
    values.push_back(static_cast<std::size_t>(std::find(names.begin(), names.end(), column) - names.begin()));
  }
  return values;
}

}  // namespace

std::string_view sample_columns() { return kSampleColumns; }

bool every_sample_column_is_known() {
  std::size_t count = 0;
  for_each_row_value(SampleRow{}, [&](std::string_view, std::string_view, const auto&) { ++count; });
  const std::vector<std::size_t> values = values_of_columns();
  return std::all_of(values.begin(), values.end(), [&](std::size_t value) { return value < count; });
}

void append_sample_line(std::string& out, const SampleRow& row) {
  static const std::vector<std::size_t> kValues = values_of_columns();
  std::vector<Number> numbers;
  numbers.reserve(kValues.size() * 2);
  for_each_row_value(row,
                     [&](std::string_view, std::string_view, const auto& value) { numbers.emplace_back() = value; });
  CsvLine line(out);
  for (const std::size_t value : kValues) {
    if (value >= numbers.size()) {
      line.empty();
    } else if (numbers[value].negative) {
      line.number(numbers[value].negative);
    } else {
      line.number(numbers[value].positive);
    }
  }
  line.end();
}

}  // namespace madvtrace
