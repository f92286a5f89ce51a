// SPDX-License-Identifier: Apache-2.0
#include "sinks/live_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/units.h"
#include "model/advice.h"
#include "model/names.h"
#include "sinks/csv_field.h"
#include "sinks/known_bytes.h"

namespace madvtrace {
namespace {

constexpr unsigned kLinesPerHeader = 20;
constexpr std::size_t kCommColumns = 12;
// time, pid, comm, RSS, change, calls, left RSS, pending
constexpr const char* kLine = "{:>6} {:>7} {:<12} {:>10} {:>10} {:>8} {:>10} {:>10}\n";

}  // namespace

// A pid that is used again is another process's.
LiveTable::Line& LiveTable::line_of(std::uint32_t pid) {
  Line& line = interval_[pid];
  if (line.ended) {
    line = {};
    comms_.erase(pid);
  }
  return line;
}

void LiveTable::on_call(const CallRow& row) {
  if (row.pid == 0) return;  // of the group
  Line& line = line_of(row.pid);
  comms_[row.pid] = row.comm;
  if (row.call == CallKind::kExit) {
    rss_.erase(row.pid);
    line.ended = true;
  }
  if (is_marker(row.call)) return;
  ++line.calls;
  ++calls_;
  if (row.rss_delta_bytes && *row.rss_delta_bytes < 0) {
    const std::uint64_t left = 0 - static_cast<std::uint64_t>(*row.rss_delta_bytes);
    line.left_rss_bytes += left;
    left_rss_bytes_ += left;
  }
  if (row.advice == kMadvFree && row.ret == 0) line.lazily_freed_bytes += row.resident_bytes.value_or(0);
}

void LiveTable::on_sample(const SampleRow& row) {
  if (first_mono_ns_ == 0) first_mono_ns_ = row.mono_ns;
  if (row.pid == 0) {
    group_ = row;
  } else {
    line_of(row.pid).sample = row;
  }
}

// The busiest first; where not all are shown, those that have most to give back as well.
void LiveTable::sort(Lines& lines) {
  const bool many = lines.size() > kProcessesShown;
  const auto weight = [&](const Line& line) {
    const std::uint64_t lazily =
        many ? line.sample->pending_bytes.value_or(line.lazily_freed_bytes) : line.lazily_freed_bytes;
    const std::uint64_t rss_bytes = many ? line.sample->sample.rss_bytes.value_or(0) : 0;
    return std::pair(line.left_rss_bytes + lazily, rss_bytes);
  };
  std::stable_sort(lines.begin(), lines.end(),
                   [&](const auto& a, const auto& b) { return weight(a.second) > weight(b.second); });
}

// Since the last interval; empty if there was none, or RSS is not known. Pid 0: the group.
std::string LiveTable::change_of(std::uint32_t pid, const std::optional<std::uint64_t>& rss_bytes) {
  if (!rss_bytes) return "";
  const auto [last, is_new] = rss_.try_emplace(pid, *rss_bytes);
  if (is_new) return "";
  const auto before = static_cast<std::int64_t>(std::exchange(last->second, *rss_bytes));
  return format_bytes_delta(static_cast<std::int64_t>(*rss_bytes) - before);
}

// Of a process that has made no call yet the name is known from its sample; among few it
// is left out.
std::string LiveTable::name_of(std::uint32_t pid, const Line& line, bool many) const {
  const auto found = comms_.find(pid);
  const bool from_sample = found == comms_.end() && many;
  if (found == comms_.end() && !from_sample) return "";
  return cut_utf8(printable(comm_text(from_sample ? line.sample->comm : found->second)), kCommColumns);
}

std::string LiveTable::time_of(const SampleRow& row) const {
  return fmt::format("{:.1f}s", static_cast<double>(row.mono_ns - first_mono_ns_) / 1e9);
}

std::string LiveTable::header_if_due() {
  if (lines_since_header_++ % kLinesPerHeader != 0) return "";
  return fmt::format(kLine, "time", "pid", "comm", "RSS", "change", "calls", "left RSS", "pending");
}

std::string LiveTable::rest_line(const Lines& lines) {
  std::uint64_t rss = 0;
  std::uint64_t calls = 0;
  std::uint64_t left = 0;
  std::optional<std::uint64_t> pending = 0;
  for (std::size_t i = kProcessesShown; i < lines.size(); ++i) {
    const Line& line = lines[i].second;
    rss += line.sample->sample.rss_bytes.value_or(0);
    calls += line.calls;
    left += line.left_rss_bytes;
    pending =
        pending && line.sample->pending_bytes ? std::optional(*pending + *line.sample->pending_bytes) : std::nullopt;
  }
  return fmt::format(kLine, "", "", fmt::format("+{} more", lines.size() - kProcessesShown), format_bytes(rss), "",
                     format_count(calls), format_bytes(left), or_dash(pending));
}

std::string LiveTable::group_lines(std::size_t processes, const SampleRow& group) {
  std::string out = header_if_due();
  const auto to = std::back_inserter(out);
  const std::string change = change_of(0, group.sample.rss_bytes);
  fmt::format_to(to, kLine, time_of(group), "group", fmt::format("of {}", format_count(processes)),
                 or_dash(group.sample.rss_bytes), change, format_count(calls_), format_bytes(left_rss_bytes_),
                 or_dash(group.pending_bytes));
  const GroupCharge& charge = group.sample.group;
  if (!charge.usage_bytes) return out;
  fmt::format_to(to, "{:>6} {:>7} working set {}, charge {}{}\n", "", "", or_dash(charge.working_set_bytes),
                 format_bytes(*charge.usage_bytes),
                 charge.limit_bytes ? ", limit " + format_bytes(*charge.limit_bytes) : "");
  return out;
}

std::string LiveTable::take_interval(std::uint64_t lost) {
  Lines lines;
  for (const auto& [pid, line] : interval_) {
    if (line.sample) lines.emplace_back(pid, line);
  }
  sort(lines);
  const std::optional<SampleRow> group = std::exchange(group_, std::nullopt);
  const bool many = group || lines.size() > kProcessesShown;

  std::string out;
  const auto to = std::back_inserter(out);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& [pid, line] = lines[i];
    const Sample& sample = line.sample->sample;
    const std::string change = change_of(pid, sample.rss_bytes);
    if (i >= kProcessesShown) continue;
    out += header_if_due();
    fmt::format_to(to, kLine, time_of(*line.sample), pid, name_of(pid, line, many), or_dash(sample.rss_bytes), change,
                   format_count(line.calls), format_bytes(line.left_rss_bytes), or_dash(line.sample->pending_bytes));
  }
  for (const auto& [pid, line] : interval_) {
    if (line.ended) comms_.erase(pid);
  }
  interval_.clear();
  if (lines.size() > kProcessesShown) out += rest_line(lines);
  if (group) {
    const auto running =
        std::count_if(lines.begin(), lines.end(), [](const auto& entry) { return !entry.second.ended; });
    out += group_lines(static_cast<std::size_t>(running), *group);
  }
  calls_ = left_rss_bytes_ = 0;
  if (lost != 0) fmt::format_to(to, "{:>6} {} records lost so far: numbers are incomplete\n", "", format_count(lost));
  return out;
}

}  // namespace madvtrace
