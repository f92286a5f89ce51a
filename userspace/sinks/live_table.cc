// SPDX-License-Identifier: Apache-2.0
#include "sinks/live_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/units.h"
#include "model/names.h"
#include "sinks/csv_field.h"

namespace madvtrace {
namespace {

constexpr unsigned kLinesPerHeader = 20;
constexpr std::size_t kCommColumns = 12;

// Of valid UTF-8, never in the middle of a character.
std::string cut(std::string text, std::size_t bytes) {
  const auto continues = [&] { return (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U; };
  while (bytes != 0 && bytes < text.size() && continues()) --bytes;
  text.resize(std::min(bytes, text.size()));
  return text;
}

std::string or_dash(const std::optional<std::uint64_t>& bytes) { return bytes ? format_bytes(*bytes) : "-"; }

}  // namespace

void LiveTable::on_call(const CallRow& row) {
  if (row.call == CallKind::kExit) rss_.erase(row.pid);
  Line& line = interval_[row.pid];
  comms_[row.pid] = row.comm;
  if (is_marker(row.call)) return;
  ++line.calls;
  if (row.rss_delta_bytes && *row.rss_delta_bytes < 0) {
    line.left_rss_bytes += 0 - static_cast<std::uint64_t>(*row.rss_delta_bytes);
  }
  if (row.advice == kMadvFree && row.ret == 0) line.lazily_freed_bytes += row.resident_bytes.value_or(0);
}

void LiveTable::on_sample(const SampleRow& row) {
  if (first_mono_ns_ == 0) first_mono_ns_ = row.mono_ns;
  interval_[row.pid].sample = row;
}

std::string LiveTable::take_interval(std::uint64_t lost) {
  std::vector<std::pair<std::uint32_t, Line>> lines;
  for (const auto& [pid, line] : interval_) {
    if (line.sample) lines.emplace_back(pid, line);
  }
  interval_.clear();
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return a.second.left_rss_bytes + a.second.lazily_freed_bytes >
           b.second.left_rss_bytes + b.second.lazily_freed_bytes;
  });

  std::string out;
  const auto to = std::back_inserter(out);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& [pid, line] = lines[i];
    const Sample& sample = line.sample->sample;
    const auto last = rss_.find(pid);
    std::string change;
    if (last != rss_.end() && sample.rss_bytes) {
      change =
          format_bytes_delta(static_cast<std::int64_t>(*sample.rss_bytes) - static_cast<std::int64_t>(last->second));
    }
    if (sample.rss_bytes) rss_[pid] = *sample.rss_bytes;
    if (i >= kProcessesShown) continue;
    if (lines_since_header_++ % kLinesPerHeader == 0) {
      fmt::format_to(to, "{:>6} {:>7} {:<12} {:>10} {:>10} {:>8} {:>10} {:>10}\n", "time", "pid", "comm", "RSS",
                     "change", "calls", "left RSS", "pending");
    }
    const double seconds = static_cast<double>(line.sample->mono_ns - first_mono_ns_) / 1e9;
    const std::string comm = cut(printable(comm_text(comms_[pid])), kCommColumns);
    fmt::format_to(to, "{:>5.1f}s {:>7} {:<12} {:>10} {:>10} {:>8} {:>10} {:>10}\n", seconds, pid, comm,
                   or_dash(sample.rss_bytes), change, format_count(line.calls), format_bytes(line.left_rss_bytes),
                   or_dash(line.sample->pending_bytes));
  }
  if (lines.size() > kProcessesShown) {
    std::uint64_t rss = 0;
    std::uint64_t left = 0;
    for (std::size_t i = kProcessesShown; i < lines.size(); ++i) {
      rss += lines[i].second.sample->sample.rss_bytes.value_or(0);
      left += lines[i].second.left_rss_bytes;
    }
    fmt::format_to(to, "{:>6} {:>7} {:<12} {:>10} {:>10} {:>8} {:>10}\n", "", "",
                   fmt::format("+{} more", lines.size() - kProcessesShown), format_bytes(rss), "", "",
                   format_bytes(left));
  }
  if (lost != 0) fmt::format_to(to, "{:>6} {} records lost so far: numbers are incomplete\n", "", format_count(lost));
  return out;
}

}  // namespace madvtrace
