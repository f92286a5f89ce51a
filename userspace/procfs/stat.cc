// SPDX-License-Identifier: Apache-2.0
#include "procfs/stat.h"

#include <array>
#include <utility>

#include "procfs/text.h"

namespace madvtrace {
namespace {

constexpr std::size_t kStatLimitBytes = std::size_t{16} * 1024;

}  // namespace

std::optional<ProcessStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find(" (");
  const std::size_t close = text.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) return std::nullopt;

  // Field numbers as in proc(5), where the state is the third.
  constexpr std::size_t kState = 3;
  constexpr std::size_t kPpid = 4;
  constexpr std::size_t kFlags = 9;
  constexpr std::size_t kNumThreads = 20;
  constexpr std::size_t kStartTime = 22;
  std::array<std::string_view, kStartTime + 1> fields;
  std::string_view rest = text.substr(close + 2);
  for (std::size_t field = kState; field < fields.size(); ++field) fields[field] = take_until(rest, ' ');
  // Without anything behind it the last number may have been cut in two.
  if (rest.empty()) return std::nullopt;

  const auto pid = parse_integer<pid_t>(text.substr(0, open));
  const auto ppid = parse_integer<pid_t>(fields[kPpid]);
  const auto flags = parse_integer<std::uint32_t>(fields[kFlags]);
  const auto num_threads = parse_integer<std::uint32_t>(fields[kNumThreads]);
  const auto start_time_ticks = parse_integer<std::uint64_t>(fields[kStartTime]);
  if (!pid || fields[kState].size() != 1 || !ppid || !flags || !num_threads || !start_time_ticks) return std::nullopt;
  return ProcessStat{.pid = *pid,
                     .comm = std::string(text.substr(open + 2, close - open - 2)),
                     .state = fields[kState].front(),
                     .ppid = *ppid,
                     .flags = *flags,
                     .num_threads = *num_threads,
                     .start_time_ticks = *start_time_ticks};
}

Result<ProcessStat> read_stat(const ProcRoot& root, pid_t pid) {
  MADV_TAKE(const std::string text, root.read_file(pid, "stat", kStatLimitBytes));
  std::optional<ProcessStat> stat = parse_stat(text);
  if (!stat) return fail(root.malformed(pid, "stat", "fewer fields than 22, or no numbers"));
  return std::move(*stat);
}

std::optional<std::uint64_t> start_time_ns(const ProcessStat& stat, std::uint64_t ticks_per_second) {
  constexpr std::uint64_t kSecondNs = 1'000'000'000;
  if (ticks_per_second == 0 || ticks_per_second > kSecondNs) return std::nullopt;
  const std::uint64_t seconds = stat.start_time_ticks / ticks_per_second;
  const std::uint64_t ticks = stat.start_time_ticks % ticks_per_second;
  if (seconds >= UINT64_MAX / kSecondNs) return std::nullopt;
  return seconds * kSecondNs + ticks * kSecondNs / ticks_per_second;
}

}  // namespace madvtrace
