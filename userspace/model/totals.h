// SPDX-License-Identifier: Apache-2.0
// These are what the end summary and summary.json say, added up from rows and events: there
// is one RunTotals for the trace, and one ProcessTotals for each process in it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/cause.h"
#include "model/delays.h"
#include "model/event.h"
#include "model/go_side.h"
#include "model/group_counters.h"
#include "model/returns.h"
#include "model/rows.h"
#include "model/rss_ledger.h"

namespace madvtrace {

// What calls of one kind and advice, and one cause, gave back: what left RSS inside them;
// of MADV_FREE, what was resident.
struct CauseTotals {
  std::uint64_t calls = 0;
  std::uint64_t released_bytes = 0;
};

// Calls of one kind and advice. Lengths and resident bytes are never added up across
// kinds: the same pages go through several calls.
struct CallTotals {
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;
  std::uint64_t len_bytes = 0;         // of calls that succeeded, as asked for
  std::uint64_t resident_bytes = 0;    // that were resident when the call began, where known
  std::int64_t rss_delta_bytes = 0;    // that the calls did to RSS, where known
  std::uint64_t unknown_resident = 0;  // calls of which resident_bytes is not known
  std::uint64_t dur_ns = 0;
  std::array<CauseTotals, kCauses + 1> causes{};  // by Cause; the last: those whose cause is not known
};

// Keyed by call name and advice; advice is empty where the call has none.
using CallTotalsByKind = std::map<std::pair<CallKind, std::optional<std::int32_t>>, CallTotals>;

// Process identity is (pid, start): a pid that is used again is another process.
struct ProcessTotals {
  std::uint32_t pid = 0;
  std::uint64_t start_ts_ns = 0;
  std::string exe;
  std::string build_id;
  std::string cgroup;
  std::string comm;
  std::string gc_marks;         // as in ProcessInfo
  std::uint64_t gc_cycles = 0;  // that ended while they were watched
  CallTotalsByKind calls;
  std::optional<Sample> first_sample;
  std::optional<Sample> last_sample;
  std::optional<std::uint64_t> largest_rss_bytes;
  std::optional<std::uint64_t> lazyfree_at_start_bytes;
  DelaysByKind delays;
  ReturnTotals returns;  // what was touched again after it had left; only if that was recorded
  RssTotals rss;         // what changed RSS; only if that was recorded
  GoProgram go;
  std::optional<GoHeap> go_baseline;           // at the first sample after a collection in this trace
  GoSide go_side;                              // idle in the Go heap until it is given back
  std::uint64_t books_dropped = 0;             // samples whose books were not believed or had,
  std::string books_dropped_why;               // and why the last of them
  double overhang_byte_seconds = 0;            // released yet resident, integrated over time
  std::optional<std::uint64_t> pending_bytes;  // released while traced and still in RSS at the end
  std::optional<std::int32_t> wait_status;     // set when it has ended, and how is known
  bool ended = false;
  bool left_group = false;     // was moved out of the watched cgroup, or runs what is not to be traced
  bool outside_group = false;  // as in ProcessInfo
};

// The cgroup that was watched.
struct GroupTotals {
  GroupInfo info;
  // Of the group as a whole: its charge, and sums over its processes.
  std::optional<SampleRow> first_sample;
  std::optional<SampleRow> last_sample;
  std::optional<std::uint64_t> processes;  // in it at the last sample
  GroupCounts growth;                      // during the trace
  std::uint64_t left_out = 0;              // processes that are not Go programs
};

struct RunTotals {
  RunInfo info;
  bool has_info = false;
  std::uint64_t duration_ns = 0;
  std::vector<ProcessTotals> processes;       // in the order in which they were first heard of
  std::optional<GroupTotals> group;           // only if one was watched
  std::map<std::string, std::uint64_t> lost;  // cause -> count
  std::uint64_t call_rows = 0;
  std::optional<CommandEnd> command_end;
  std::optional<RunEnd> end;  // empty: the stream stops in the middle

  bool complete() const { return end.has_value() && lost.empty(); }
};

// Adds `row` to `calls`; markers are left out.
void add_call(CallTotalsByKind& calls, const CallRow& row);

// What calls gave back: what left RSS inside them; of MADV_FREE, what was resident. A page
// that was given back twice counts twice.
std::uint64_t given_back_bytes(const CallTotalsByKind& calls);

// Sums wrap: no real trace comes near, and a hostile recording must not do harm.
void add_totals(CallTotals& sum, const CallTotals& part);

}  // namespace madvtrace
