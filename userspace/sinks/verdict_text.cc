// SPDX-License-Identifier: Apache-2.0
#include "sinks/verdict_text.h"

#include <fmt/format.h>

#include "base/units.h"
#include "model/advice.h"
#include "sinks/csv_field.h"

namespace madvtrace {
namespace {

// "go1.19.8" -> 19; nothing for what is no release of Go 1.
std::optional<unsigned> go_minor(const std::string& version) {
  constexpr std::string_view kPrefix = "go1.";
  if (!version.starts_with(kPrefix)) return std::nullopt;
  unsigned minor = 0;
  std::size_t at = kPrefix.size();
  for (; at < version.size() && version[at] >= '0' && version[at] <= '9' && minor < 1000; ++at) {
    minor = minor * 10 + static_cast<unsigned>(version[at] - '0');
  }
  return at == kPrefix.size() ? std::nullopt : std::optional(minor);
}

std::string of_rss(const Verdict& verdict, const ProcessTotals& process) {
  return fmt::format("{} of {}", format_bytes(verdict.bytes), format_bytes(process.last_sample->rss_bytes.value_or(0)));
}

std::string collections(const Verdict& verdict) {
  if (!verdict.collections) return "";
  if (*verdict.collections == 0) return " There was no collection during the trace.";
  return fmt::format(
      " {} during the trace did not change that.",
      *verdict.collections == 1 ? "One collection" : format_count(*verdict.collections) + " collections");
}

std::string heap_in_use(const Verdict& verdict, const ProcessTotals& process) {
  const bool most = verdict.bytes > process.last_sample->rss_bytes.value_or(0) / 2;
  std::string text = fmt::format(
      "{} of RSS, {}, is heap in use: objects that the program can still reach, or garbage that no collection has "
      "found yet. It does not wait to be given back, and giving back more would not help.",
      most ? "Most" : "The largest part", of_rss(verdict, process));
  if (verdict.reason == Reason::kHeapGrows) {
    text += fmt::format(" What survives a collection grew by {} in {} collections: at a steady load that is a leak.",
                        format_bytes(verdict.grown_bytes), format_count(verdict.collections.value_or(0)));
  } else {
    text += collections(verdict);
  }
  text += " A heap profile (pprof, inuse_space) shows who holds it.";
  if (verdict.thin == Thin::kShort) {
    text +=
        " The runtime collects at least every two minutes: a trace of five minutes tells live objects from garbage.";
  }
  return text;
}

std::string idle_heap(const Verdict& verdict, const ProcessTotals& process) {
  const auto minor = go_minor(process.go.version);
  std::string text =
      fmt::format("The largest part of RSS, {}, is free memory in the Go heap that the runtime has not given back yet.",
                  of_rss(verdict, process));
  if (minor && *minor <= 12) {
    text += " This version of Go gives back what has been free for five minutes.";
  } else {
    text +=
        " Its scavenger does that in the background, with 1% of the CPU time, and keeps 10% more than the heap needs.";
  }
  if (verdict.to_come_bytes && *verdict.to_come_bytes >= std::uint64_t{1} << 20) {
    text += fmt::format(" About {} is still to come: go on watching for five minutes.",
                        format_bytes(*verdict.to_come_bytes));
  } else if (verdict.to_come_bytes) {
    text += " It is about what the scavenger keeps: little more is to come.";
  } else {
    text += " Go on watching for five minutes.";
  }
  text += " debug.FreeOSMemory() gives all of it back at once";
  text += minor && *minor >= 19 ? "; a memory limit (GOMEMLIMIT) keeps it low." : ".";
  return text;
}

std::string lazily_freed(const Verdict& verdict, const ProcessTotals& process) {
  std::string text = fmt::format(
      "The largest part of RSS, {}, was given back by MADV_FREE, and counts until the kernel takes it, which it does "
      "when memory gets short. It is no leak; a container's working set leaves it out already.",
      of_rss(verdict, process));
  const auto minor = go_minor(process.go.version);
  if (minor && *minor >= 12 && *minor <= 15) {
    text += " With GODEBUG=madvdontneed=1 this version of Go lets RSS fall at once, for a page fault at each reuse.";
  } else if (minor && *minor >= 16 && process.go.expected_advice == kMadvFree) {
    text += " It runs with madvdontneed=0 in GODEBUG: without that RSS falls at once.";
  } else if (minor && *minor >= 16) {
    text += " This version of Go does not give back like that: the program's own code, or a C library in it, does.";
  }
  return text;
}

std::string other_anonymous(const Verdict& verdict, const ProcessTotals& process) {
  return fmt::format(
      "The largest part of RSS, {}, is memory that the Go runtime does not manage: C libraries (cgo, malloc), the "
      "program's own mappings, its variables. No setting of Go gives it back. The causes malloc, cgo and app in "
      "events.csv show who maps and releases it; glibc returns more with MALLOC_ARENA_MAX=2 or malloc_trim(0).",
      of_rss(verdict, process));
}

std::string sentences(const Verdict& verdict, const ProcessTotals& process) {
  switch (verdict.reason) {
    case Reason::kHeapInUse:
    case Reason::kHeapGrows:
      return heap_in_use(verdict, process);
    case Reason::kIdleHeap:
      return idle_heap(verdict, process);
    case Reason::kLazyFree:
      return lazily_freed(verdict, process);
    case Reason::kStacks:
      return fmt::format(
          "The largest part of RSS, {}, is stacks of goroutines. They shrink when a collection finds them mostly "
          "empty, and end with their goroutine: a goroutine profile (pprof) shows which there are.",
          of_rss(verdict, process));
    case Reason::kOtherAnon:
      return other_anonymous(verdict, process);
    case Reason::kFiles:
      return fmt::format(
          "The largest part of RSS, {}, belongs to files: the binary and what the program maps. The kernel takes such "
          "pages when memory gets short, and reads them again when they are needed.",
          of_rss(verdict, process));
    case Reason::kUnexplained:
      return fmt::format(
          "The largest part of RSS, {}, lies in the Go heap where the runtime's books say that nothing is, or that it "
          "was given back. Mostly that is huge pages: khugepaged fills a range up again that was released in part. "
          "/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none = 0 keeps it from that.",
          of_rss(verdict, process));
    case Reason::kUnknown:
      break;
  }
  if (verdict.thin != Thin::kNoBooks) return "";
  return fmt::format(
      "The runtime's own books could not be read ({}), so heap in use, free heap and other memory cannot be told "
      "apart.",
      process.go.books_why_not.empty() ? "nothing was read" : printable(process.go.books_why_not));
}

}  // namespace

std::string verdict_text(const ProcessTotals& process) {
  const std::optional<Verdict> verdict = verdict_of(process);
  if (!verdict) return "";
  std::string text = sentences(*verdict, process);
  if (verdict->thin == Thin::kManyAreClose && !text.empty()) {
    text += " Other parts weigh nearly as much: see the list above.";
  }
  return text;
}

}  // namespace madvtrace
