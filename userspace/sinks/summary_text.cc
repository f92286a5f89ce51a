// SPDX-License-Identifier: Apache-2.0
#include "sinks/summary_text.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "base/losses.h"
#include "base/units.h"
#include "model/advice.h"
#include "model/names.h"
#include "sinks/csv_field.h"
#include "sinks/known_bytes.h"
#include "sinks/paragraph.h"
#include "sinks/summary_go.h"
#include "sinks/summary_group.h"
#include "sinks/summary_returns.h"
#include "sinks/summary_rss.h"
#include "sinks/summary_table.h"
#include "sinks/verdict_text.h"

namespace madvtrace {
namespace {

using Out = std::back_insert_iterator<std::string>;

constexpr std::size_t kProcessesInFull = 5;
constexpr std::size_t kColumns = 80;
constexpr std::uint64_t kSharesWorthALine = 100;  // 1% of the whole

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return format_count(count) + " " + (count == 1 ? one : many);
}

std::string how_it_ended(std::int32_t wait_status) {
  if (WIFSIGNALED(wait_status)) return fmt::format("was killed by signal {}", WTERMSIG(wait_status));
  return fmt::format("exited with status {}", WEXITSTATUS(wait_status));
}

std::uint64_t calls_of(const ProcessTotals& process) {
  return std::accumulate(process.calls.begin(), process.calls.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& entry) { return sum + entry.second.calls; });
}

void write_memory(Out to, const ProcessTotals& process) {
  if (!process.first_sample) return;
  fmt::format_to(to, "  RSS {} -> {}", or_unknown(process.first_sample->rss_bytes),
                 or_unknown(process.last_sample->rss_bytes));
  fmt::format_to(to, " (largest seen {})", or_unknown(process.largest_rss_bytes));
  if (process.last_sample->rss_anon_bytes) {
    fmt::format_to(to, "; anonymous {}", format_bytes(*process.last_sample->rss_anon_bytes));
  }
  fmt::format_to(to, "\n");
  if (process.lazyfree_at_start_bytes.value_or(0) != 0) {
    fmt::format_to(to, "  {} had been lazily freed before the trace began\n",
                   format_bytes(*process.lazyfree_at_start_bytes));
  }
}

// The charge stage: what left RSS and is charged to the cgroup all the same.
void write_charge(Out to, const ProcessTotals& process) {
  if (!process.last_sample) return;
  fmt::format_to(to, "{}", charge_text(process.first_sample->group, process.last_sample->group));
}

void write_calls(Out to, const ProcessTotals& process) {
  if (process.calls.empty()) {
    fmt::format_to(to, "  no calls\n");
    return;
  }
  fmt::format_to(to, "  {:<15} {:<18} {:>9} {:>6} {:>12} {:>12}\n", "call", "advice", "calls", "failed", "resident",
                 "RSS change");
  for (const auto& [kind, totals] : process.calls) {
    const bool known = totals.unknown_resident < totals.calls;
    std::string advice = kind.second ? advice_name(*kind.second) : "";
    if (advice.starts_with("MADV_")) advice.erase(0, 5);
    fmt::format_to(to, "  {:<15} {:<18} {:>9} {:>6} {:>12} {:>12}\n", kCallNames[kind.first], advice,
                   format_count(totals.calls), format_count(totals.failed),
                   known ? format_bytes(totals.resident_bytes) : "-",
                   totals.rss_delta_bytes == 0 ? "0 B" : format_bytes_delta(totals.rss_delta_bytes));
  }
}

std::string share(std::uint64_t part, std::uint64_t whole) {
  return fmt::format("{:.0f}%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// What became of the bytes that were given back by MADV_FREE. A page that was released
// again counts for its last release only.
void write_lazy(Out to, const Delays& delays, std::uint64_t calls) {
  const std::uint64_t given = delays.total_bytes() - delays.bytes(Fate::kSuperseded);
  if (given == 0) return;
  const std::uint64_t pending = delays.bytes(Fate::kPending);
  fmt::format_to(to, "  MADV_FREE: {} given back in {}. Of them:\n", format_bytes(given),
                 counted(calls, "call", "calls"));
  const auto line = [&](Fate fate, const char* text) {
    const std::uint64_t bytes = delays.bytes(fate);
    if (bytes != 0) fmt::format_to(to, "    {:>10} {:>4}  {}\n", format_bytes(bytes), share(bytes, given), text);
  };
  line(Fate::kReclaimed, "the kernel took: they left RSS");
  line(Fate::kRewritten, "were written again before the kernel took them: never left");
  line(Fate::kUnmapped, "left when they were unmapped");
  line(Fate::kExited, "left when the process ended");
  line(Fate::kPending, "still count as RSS");
  if (const auto half = delays.left_after_ns(0.5)) {
    const auto most = delays.left_after_ns(0.9);
    fmt::format_to(to, "  The kernel took half within {}, 90% {}.\n", format_duration(*half),
                   most ? "within " + format_duration(*most) : std::string("not at all so far"));
  }
  if (pending * kSharesWorthALine >= given) {
    fmt::format_to(to,
                   "  Nothing forces the kernel to take what is pending while memory is free; a\n"
                   "  container's working_set leaves it out already, RSS does not.\n");
  }
}

// Whose doing it was, the largest share first.
void write_causes(Out to, const CallTotals& totals) {
  std::vector<std::pair<std::uint64_t, std::string_view>> shares;
  std::uint64_t whole = 0;
  for (std::size_t i = 0; i < totals.causes.size(); ++i) {
    const std::uint64_t bytes = totals.causes.at(i).released_bytes;
    whole += bytes;
    if (bytes != 0) shares.emplace_back(bytes, i < kCauses ? kCauseNames[static_cast<Cause>(i)] : "not known");
  }
  std::stable_sort(shares.begin(), shares.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  // What rounds to 0% is in summary.json.
  std::erase_if(shares, [&](const auto& part) { return part.first < whole / 200; });
  if (shares.empty() || (shares.size() == 1 && totals.causes.back().released_bytes != 0)) return;
  constexpr std::size_t kShown = 3;
  std::string line = "  By cause:";
  for (std::size_t i = 0; i < std::min(shares.size(), kShown); ++i) {
    line += fmt::format("{} {} {}", i == 0 ? "" : ",", shares[i].second, share(shares[i].first, whole));
  }
  fmt::format_to(to, "{}{}.\n", line, shares.size() > kShown ? ", …" : "");
}

void write_releases(Out to, const ProcessTotals& process) {
  for (const auto& [kind, totals] : process.calls) {
    if (!kind.second || totals.calls == totals.failed) continue;
    const std::uint64_t calls = totals.calls - totals.failed;
    if (*kind.second == kMadvDontneed && totals.rss_delta_bytes < 0) {
      fmt::format_to(to, "  MADV_DONTNEED: {} left RSS inside {}, {} each on average.\n",
                     format_bytes(0 - static_cast<std::uint64_t>(totals.rss_delta_bytes)),
                     counted(totals.calls, "call", "calls"), format_duration(totals.dur_ns / totals.calls));
      write_causes(to, totals);
    }
    if (*kind.second == kMadvFree) {
      const auto delays = process.delays.find(kind);
      if (delays != process.delays.end()) {
        write_lazy(to, delays->second, calls);
      } else if (!process.pending_bytes) {
        fmt::format_to(to, "  MADV_FREE: {}; what became of the pages is not known (no page walk).\n",
                       counted(calls, "call", "calls"));
      }
      write_causes(to, totals);
    }
  }
}

void write_process(Out to, const ProcessTotals& process, const RunInfo& info) {
  fmt::format_to(to, "\n{} (pid {}{}{})\n", process.comm.empty() ? "?" : printable(process.comm), process.pid,
                 process.exe.empty() ? "" : ", ", printable(process.exe));
  fmt::format_to(to, "{}", go_program_text(process));
  write_memory(to, process);
  write_charge(to, process);
  fmt::format_to(to, "{}", waterfall_text(process));
  write_calls(to, process);
  write_releases(to, process);
  if (info.records_refaults()) fmt::format_to(to, "{}", returns_text(process.returns, info.fault_ns));
  if (info.records_rss()) fmt::format_to(to, "{}", rss_text(process.rss));
  fmt::format_to(to, "{}{}", go_side_text(process), paragraph(verdict_text(process)));
  if (process.ended && process.wait_status) {
    fmt::format_to(to, "  It {} during the trace.\n", how_it_ended(*process.wait_status));
  } else if (process.left_group) {
    fmt::format_to(to, "  It left the watched group during the trace.\n");
  }
}

// Most bytes moved first.
void write_processes(Out to, const RunTotals& totals) {
  std::vector<const ProcessTotals*> order;
  order.reserve(totals.processes.size());
  for (const ProcessTotals& process : totals.processes) order.push_back(&process);
  std::stable_sort(order.begin(), order.end(), [](const ProcessTotals* a, const ProcessTotals* b) {
    return given_back_bytes(a->calls) > given_back_bytes(b->calls);
  });
  for (const ProcessTotals* process : order) write_process(to, *process, totals.info);
}

void write_lost(Out to, const RunTotals& totals) {
  if (!totals.end) fmt::format_to(to, "\nINCOMPLETE: the recording stops in the middle of the trace.\n");
  if (totals.lost.empty()) return;
  std::string line = "INCOMPLETE: lost";
  std::string separator = " ";
  bool ring = false;
  fmt::format_to(to, "\n");
  for (const auto& [cause, count] : totals.lost) {
    const std::string entry = fmt::format("{} {}", format_count(count), printable(cause));
    if (line.size() + separator.size() + entry.size() + 1 > kColumns) {
      fmt::format_to(to, "{}{}\n", line, separator == " " ? "" : ",");
      line.clear();
      separator = "  ";
    }
    line += separator + entry;
    separator = ", ";
    const LossKind* const known = find_loss(cause);
    ring = ring || (known != nullptr && known->ring_full);
  }
  fmt::format_to(to, "{}.\nCalls are missing from the numbers above.{}\n", line,
                 ring ? "\nA larger --ring-size keeps more of them." : "");
}

}  // namespace

std::string summary_text(const RunTotals& totals) {
  std::string text;
  const Out to = std::back_inserter(text);
  std::uint64_t calls = 0;
  for (const ProcessTotals& process : totals.processes) calls += calls_of(process);
  fmt::format_to(to, "madvtrace: {}, {}, {}, {}\n", totals.end ? format_duration(totals.duration_ns) : "cut off",
                 counted(totals.processes.size(), "process", "processes"), counted(calls, "call", "calls"),
                 !totals.lost.empty() ? "EVENTS LOST"
                 : totals.end         ? "nothing lost"
                                      : "INCOMPLETE");

  fmt::format_to(to, "{}", group_text(totals));
  if (totals.processes.size() > kProcessesInFull) {
    fmt::format_to(to, "{}", process_table_text(totals));
    RssTotals rss;
    for (const ProcessTotals& process : totals.processes) rss.add(process.rss);
    const std::string by_cause = rss_text(rss);
    if (!by_cause.empty()) fmt::format_to(to, "All of them together:\n{}", by_cause);
  } else {
    write_processes(to, totals);
  }
  write_lost(to, totals);
  return text;
}

}  // namespace madvtrace
