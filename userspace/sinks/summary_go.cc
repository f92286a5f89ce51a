// SPDX-License-Identifier: Apache-2.0
#include "sinks/summary_go.h"

#include <fmt/format.h>

#include <cstdlib>
#include <iterator>

#include "base/units.h"
#include "model/advice.h"
#include "model/names.h"
#include "model/waterfall.h"
#include "sinks/csv_field.h"
#include "sinks/paragraph.h"

namespace madvtrace {
namespace {

// Successful releases of the heap by an advice other than the one that was expected.
std::uint64_t unexpected_releases(const ProcessTotals& process) {
  std::uint64_t calls = 0;
  for (const auto& [kind, totals] : process.calls) {
    if (!gives_back(kind.second) || kind.second == process.go.expected_advice) continue;
    for (const Cause cause : {Cause::kBackground, Cause::kFreeOsMemory, Cause::kMemoryLimit, Cause::kHeapGrowth}) {
      calls += totals.causes.at(static_cast<std::size_t>(cause)).calls;
    }
  }
  return calls;
}

}  // namespace

std::string go_program_text(const ProcessTotals& process) {
  const GoProgram& go = process.go;
  if (!go.is_go) return "";
  std::string text = fmt::format("{}{}", go.version.empty() ? "A Go program of unknown version" : printable(go.version),
                                 go.godebug.empty() ? "" : ", GODEBUG=" + printable(go.godebug));
  if (go.expected_advice) text += fmt::format("; releases by {}", advice_name(*go.expected_advice));
  text += go.books == "none" ? "; its books cannot be read" : fmt::format("; books from {}", go.books);
  if (process.gc_marks == "yes") {
    text +=
        fmt::format("; {} {}", format_count(process.gc_cycles), process.gc_cycles == 1 ? "collection" : "collections");
  }
  text = paragraph(text);
  if (const std::uint64_t calls = go.expected_advice ? unexpected_releases(process) : 0; calls != 0) {
    text +=
        paragraph(fmt::format("{} of its runtime's releases were by another advice than this version is expected to "
                              "use: GODEBUG was set in another way, or the runtime is a changed one.",
                              format_count(calls)));
  }
  if (process.books_dropped != 0) {
    text += paragraph(fmt::format("Its books were not believed {} ({}).",
                                  process.books_dropped == 1 ? "once" : format_count(process.books_dropped) + " times",
                                  printable(process.books_dropped_why)));
  }
  return text;
}

std::string waterfall_text(const ProcessTotals& process) {
  const auto parts = process.last_sample ? waterfall_of(*process.last_sample) : std::nullopt;
  if (!parts || !process.go.is_go || parts->rss_bytes == 0) return "";
  std::string text;
  const auto to = std::back_inserter(text);
  fmt::format_to(to, "  RSS at the end, {}, is made of\n", format_bytes(parts->rss_bytes));
  const auto line = [&](std::optional<std::uint64_t> bytes, const char* what) {
    if (!bytes) return;
    fmt::format_to(to, "    {:>10} {:>4.0f}%  {}\n", format_bytes(*bytes),
                   100.0 * static_cast<double>(*bytes) / static_cast<double>(parts->rss_bytes), what);
  };
  line(parts->heap_inuse_bytes, "Go heap in use");
  line(parts->heap_idle_bytes, "Go heap free, not given back");
  line(parts->lazyfree_bytes, "given back by MADV_FREE, not taken yet");
  line(parts->stacks_bytes, "stacks of goroutines");
  line(parts->runtime_bytes, "the Go runtime's own data, at most");
  line(parts->file_bytes, "files: the binary, mappings, shared memory");
  line(parts->other_anon_bytes,
       parts->heap_inuse_bytes ? "other: C libraries, own mappings, variables" : "other anonymous memory");
  const std::int64_t unexplained = parts->unexplained_bytes;
  fmt::format_to(
      to, "    {:>10} {:>4.0f}%  unexplained\n",
      unexplained < 0 ? format_bytes_delta(unexplained) : format_bytes(static_cast<std::uint64_t>(unexplained)),
      100.0 * static_cast<double>(unexplained) / static_cast<double>(parts->rss_bytes));
  return text;
}

std::string go_side_text(const ProcessTotals& process) {
  const GoSide& side = process.go_side;
  if (!side.known() || side.released_bytes() == 0) return "";
  std::string text = fmt::format("Before the runtime gave it back, memory lay free in the Go heap: {} was given back",
                                 format_bytes(side.released_bytes()));
  if (const auto half = side.released_after_ns(0.5)) {
    text += fmt::format(", half of all free memory within about {}", format_duration(*half));
  }
  text += fmt::format("; {} was used again and {} is still free.", format_bytes(side.reused_bytes()),
                      format_bytes(side.idle_bytes()));
  return paragraph(text);
}

}  // namespace madvtrace
