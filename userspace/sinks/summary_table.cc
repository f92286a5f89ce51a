// SPDX-License-Identifier: Apache-2.0
#include "sinks/summary_table.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/units.h"
#include "model/verdict.h"
#include "sinks/csv_field.h"

namespace madvtrace {
namespace {

constexpr std::size_t kShown = 10;
constexpr std::size_t kNameColumns = 12;
constexpr std::size_t kVersionColumns = 7;

struct Entry {
  std::uint64_t processes = 1;
  std::uint32_t pid = 0;  // of several: the first one's
  std::string name;
  std::optional<std::uint64_t> rss_bytes;  // empty: unknown, or it ended
  std::uint64_t released_bytes = 0;
  std::optional<std::uint64_t> pending_bytes;
  std::string version;
  std::string state;
};

std::string or_dash(const std::optional<std::uint64_t>& bytes) { return bytes ? format_bytes(*bytes) : "-"; }

// Each page once, if its fate was followed.
std::uint64_t released_bytes(const ProcessTotals& process) {
  if (!process.pending_bytes) return given_back_bytes(process.calls);
  std::uint64_t bytes = 0;
  for (const auto& [kind, delays] : process.delays) bytes += delays.total_bytes() - delays.bytes(Fate::kSuperseded);
  return bytes;
}

std::string in_short(Reason reason) {
  switch (reason) {
    case Reason::kHeapInUse:
      return "heap in use";
    case Reason::kHeapGrows:
      return "heap grows";
    case Reason::kIdleHeap:
      return "idle heap";
    case Reason::kLazyFree:
      return "lazily freed";
    case Reason::kStacks:
      return "stacks";
    case Reason::kOtherAnon:
      return "other memory";
    case Reason::kFiles:
      return "files";
    case Reason::kUnexplained:
      return "unexplained";
    case Reason::kUnknown:
      break;
  }
  return "unknown";
}

std::string state_of(const ProcessTotals& process) {
  if (process.left_group && !process.ended) return "left the group";
  if (!process.ended) {
    const std::optional<Verdict> verdict = verdict_of(process);
    return verdict ? in_short(verdict->reason) : "";
  }
  if (!process.wait_status) return "ended";
  const std::int32_t status = *process.wait_status;
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit {}", WEXITSTATUS(status));
}

Entry entry_of(const ProcessTotals& process) {
  std::string version = printable(process.go.version);
  if (version.starts_with("go")) version.erase(0, 2);
  return {.pid = process.pid,
          .name = process.comm.empty() ? "?" : cut_utf8(printable(process.comm), kNameColumns),
          .rss_bytes = process.last_sample && !process.ended && !process.left_group ? process.last_sample->rss_bytes
                                                                                    : std::nullopt,
          .released_bytes = released_bytes(process),
          .pending_bytes = process.pending_bytes,
          .version = cut_utf8(std::move(version), kVersionColumns),
          .state = state_of(process)};
}

void join(Entry& entry, const Entry& other) {
  ++entry.processes;
  entry.released_bytes += other.released_bytes;
  entry.pending_bytes = entry.pending_bytes && other.pending_bytes
                            ? std::optional(*entry.pending_bytes + *other.pending_bytes)
                            : std::nullopt;
  if (entry.version.empty()) entry.version = other.version;
  if (!other.version.empty() && entry.version != other.version) entry.version = "several";
  if (entry.state != other.state) entry.state = "ended";
}

// Of those that ended: name -> the one program of that name. Empty if there are several.
std::map<std::string_view, std::string_view> programs_by_name(const RunTotals& totals) {
  std::map<std::string_view, std::string_view> programs;
  for (const ProcessTotals& process : totals.processes) {
    if (!process.ended || process.exe.empty()) continue;
    const auto [found, is_new] = programs.try_emplace(process.comm, process.exe);
    if (!is_new && found->second != process.exe) found->second = {};
  }
  return programs;
}

std::vector<Entry> entries_of(const RunTotals& totals) {
  std::vector<Entry> entries;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> ended;  // exe, comm -> entry
  const auto programs = programs_by_name(totals);
  for (const ProcessTotals& process : totals.processes) {
    const Entry entry = entry_of(process);
    if (process.ended) {
      // Most that live for a moment are gone before it can be seen what they run.
      const auto known = programs.find(process.comm);
      const std::string_view exe = process.exe.empty() && known != programs.end() ? known->second : process.exe;
      const auto [found, is_new] = ended.try_emplace({exe, process.comm}, entries.size());
      if (!is_new) {
        join(entries[found->second], entry);
        continue;
      }
    }
    entries.push_back(entry);
  }
  const auto weight = [](const Entry& entry) {
    return std::tuple(entry.pending_bytes.value_or(0), entry.released_bytes, entry.rss_bytes.value_or(0));
  };
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const Entry& a, const Entry& b) { return weight(a) > weight(b); });
  return entries;
}

void append_line(std::string& text, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  text += line + '\n';
}

}  // namespace

std::string process_table_text(const RunTotals& totals) {
  const std::vector<Entry> entries = entries_of(totals);
  constexpr const char* kLine = "{:>7} {:<12} {:>10} {:>10} {:>10} {:<7} {}";
  std::string text = "\n";
  append_line(text, fmt::format(kLine, "pid", "name", "RSS at end", "released", "pending", "Go", "why, or its end"));
  bool any_folded = false;
  Entry rest{.processes = 0, .pending_bytes = 0};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    if (i < kShown) {
      any_folded = any_folded || entry.processes > 1;
      const std::string who = entry.processes > 1 ? fmt::format("{}x", entry.processes) : std::to_string(entry.pid);
      append_line(text,
                  fmt::format(kLine, who, entry.name, or_dash(entry.rss_bytes), format_bytes(entry.released_bytes),
                              or_dash(entry.pending_bytes), entry.version, entry.state));
    } else {
      const std::uint64_t before = rest.processes;
      join(rest, entry);
      rest.processes = before + entry.processes;
    }
  }
  if (rest.processes != 0) {
    text += fmt::format("and {} more: released {}, pending {}\n", format_count(rest.processes),
                        format_bytes(rest.released_bytes),
                        rest.pending_bytes ? format_bytes(*rest.pending_bytes) : "unknown");
  }
  if (any_folded) text += "Nx: N processes of one program, all of which ended.\n";
  text += "pending: given back and still in RSS. More of each: summary.json (-o DIR).\n";
  return text;
}

}  // namespace madvtrace
