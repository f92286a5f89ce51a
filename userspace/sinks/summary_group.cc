// SPDX-License-Identifier: Apache-2.0
#include "sinks/summary_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>

#include "base/units.h"
#include "sinks/csv_field.h"
#include "sinks/paragraph.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLagBytes = kMiB;  // the kernel's batches for each CPU
constexpr std::size_t kShownId = 12;       // what Docker prints

std::string or_unknown(const std::optional<std::uint64_t>& bytes) { return bytes ? format_bytes(*bytes) : "unknown"; }

std::string times(std::uint64_t count) { return count == 1 ? "once" : format_count(count) + " times"; }

std::string what_it_is(const GroupInfo& info) {
  if (info.container_id.empty()) return "cgroup " + (info.path.empty() ? "?" : printable(info.path));
  const bool has_another_name = !info.container_name.empty() && info.container_name != info.name;
  return fmt::format("container {}{}", has_another_name ? printable(info.container_name) + ", " : "",
                     printable(info.container_id.substr(0, kShownId)));
}

std::string title(const GroupInfo& info) {
  const std::string what = what_it_is(info);
  return info.name.empty() || info.name == info.path ? what : fmt::format("{} ({})", printable(info.name), what);
}

// Lazily freed pages are in RSS and in the charge, and stand on the list of inactive file
// pages, so the working set is without them. It is without inactive page cache as well,
// and has page cache and memory of the kernel that RSS has not; RSS counts shared pages
// once for each process. So they are the difference only if the numbers say so, and only
// if that list has room for them.
std::string difference(const SampleRow& row) {
  const Sample& sum = row.sample;
  const GroupCharge& charge = sum.group;
  if (!sum.rss_bytes || !sum.lazyfree_bytes || !charge.working_set_bytes || !charge.inactive_file_bytes) return "";
  const std::uint64_t lazy = *sum.lazyfree_bytes;
  if (lazy < kMiB || lazy - kLagBytes > *charge.inactive_file_bytes) return "";
  const std::uint64_t rss = *sum.rss_bytes;
  const std::uint64_t working_set = *charge.working_set_bytes;
  const std::uint64_t apart = rss - std::min(rss, working_set);
  constexpr std::uint64_t kClose = 20;  // one part in so many
  if (std::max(apart, lazy) - std::min(apart, lazy) <= apart / kClose) {
    return fmt::format(
        "RSS says {}; the kubelet's working_set says {}; the difference is lazily freed ({}). It counts in RSS and in "
        "the charge until the kernel takes it, which it does when memory gets short.",
        format_bytes(rss), format_bytes(working_set), format_bytes(lazy));
  }
  return fmt::format(
      "Of RSS, {} is lazily freed: RSS and the charge count it until the kernel takes it, the kubelet's working_set "
      "does not. The two differ in more than that: page cache, memory of the kernel, pages that processes share.",
      format_bytes(lazy));
}

std::string happenings(const GroupGrowth& growth, const std::optional<std::uint64_t>& duration_ns) {
  std::string text;
  const auto sentence = [&](const std::string& more) { text += (text.empty() ? "" : " ") + more; };
  if (const std::uint64_t kills = growth.oom_kills.value_or(0); kills != 0) {
    sentence(fmt::format("The OOM killer killed {} of it.",
                         kills == 1 ? "one process" : format_count(kills) + " processes"));
  }
  if (const std::uint64_t high = growth.high_events.value_or(0); high != 0) {
    sentence(fmt::format("It was throttled at memory.high {}.", times(high)));
  }
  if (const std::uint64_t most = growth.max_events.value_or(0); most != 0) {
    sentence(fmt::format("It was about to go over memory.max {}.", times(most)));
  }
  constexpr std::uint64_t kNsForAMicrosecond = std::uint64_t{100} * 1'000;  // 1% of the time
  const std::uint64_t waited_us = growth.pressure_some_us.value_or(0);
  if (duration_ns && waited_us > *duration_ns / kNsForAMicrosecond && waited_us <= UINT64_MAX / 1'000) {
    sentence(fmt::format("Some of its tasks waited for memory for {}.", format_duration(waited_us * 1'000)));
  }
  return text;
}

std::string left_out_text(std::uint64_t left_out) {
  if (left_out == 0) return "";
  if (left_out == 1) return "1 process that is not Go was left out; --all follows it too.";
  return fmt::format("{} processes that are not Go were left out; --all follows them too.", format_count(left_out));
}

}  // namespace

std::string charge_text(const GroupCharge& first, const GroupCharge& last) {
  if (!last.usage_bytes) return "";
  std::string text;
  const auto to = std::back_inserter(text);
  fmt::format_to(to, "  cgroup working set {} -> {}\n", or_unknown(first.working_set_bytes),
                 or_unknown(last.working_set_bytes));
  fmt::format_to(to, "  cgroup charge {} -> {}{}\n", or_unknown(first.usage_bytes), or_unknown(last.usage_bytes),
                 last.limit_bytes ? fmt::format(" (limit {})", format_bytes(*last.limit_bytes)) : "");
  const std::uint64_t deferred = last.deferred_split_bytes.value_or(0);
  if (deferred < first.deferred_split_bytes.value_or(0) + kMiB) return text;
  fmt::format_to(to,
                 "    of it {} has left RSS and is charged all the same: parts of huge\n"
                 "    pages, which the kernel splits and frees when memory gets short\n",
                 format_bytes(deferred));
  return text;
}

std::string group_text(const RunTotals& totals) {
  if (!totals.group) return "";
  const GroupTotals& group = *totals.group;
  std::string text = "\n" + title(group.info) + "\n";
  if (group.last_sample) {
    const Sample& first = group.first_sample->sample;
    const Sample& last = group.last_sample->sample;
    const bool any_left = std::any_of(
        totals.processes.begin(), totals.processes.end(),
        [](const ProcessTotals& process) { return !process.ended && !process.left_group && !process.outside_group; });
    text += fmt::format("  RSS of its traced processes {} -> {}\n", or_unknown(first.rss_bytes),
                        any_left || last.rss_bytes ? or_unknown(last.rss_bytes) : "none is left");
    if (last.rss_bytes) {
      text += fmt::format("    of it lazily freed {}; given back in the trace and pending {}\n",
                          or_unknown(last.lazyfree_bytes), or_unknown(group.last_sample->pending_bytes));
    }
    text += charge_text(first.group, last.group);
    text += paragraph(difference(*group.last_sample));
  }
  const auto duration_ns = totals.end ? std::optional(totals.duration_ns) : std::nullopt;
  text += paragraph(happenings(group.growth, duration_ns));
  text += paragraph(left_out_text(group.left_out));
  return text;
}

}  // namespace madvtrace
