// SPDX-License-Identifier: Apache-2.0
#include "golang/cause.h"

#include <algorithm>
#include <array>
#include <optional>

namespace madvtrace {
namespace {

using Kind = StackFrame::Kind;

// What frames nearer to the call have shown.
enum Mark : unsigned {
  kReleasing = 1U << 0,  // scavenging
  kMapping = 1U << 1,    // sysMap: reserved address space becomes usable
  kAll = 1U << 2,        // everything that is free is given back
  kAdvising = 1U << 3,   // the call is a madvise
  kFreeing = 1U << 4,    // sysFree
};

enum class Match : std::uint8_t { kWhole, kPrefix, kPart };

bool matches(std::string_view name, Match how, std::string_view pattern) {
  switch (how) {
    case Match::kWhole:
      return name == pattern;
    case Match::kPrefix:
      return name.starts_with(pattern);
    case Match::kPart:
      return name.find(pattern) != std::string_view::npos;
  }
  return false;
}

struct Marking {
  std::string_view pattern;
  Match how = Match::kWhole;
  unsigned marks = 0;
};

// Functions of package runtime.
constexpr std::array kMarkings{
    Marking{"sysUnused", Match::kPrefix, kReleasing},
    Marking{"(*pageAlloc).scavenge", Match::kPrefix, kReleasing},
    Marking{"(*mheap).scavengeAll", Match::kPrefix, kReleasing | kAll},
    Marking{"(*mheap).scavenge", Match::kPrefix, kReleasing},
    Marking{"sysMap", Match::kPrefix, kMapping},
    Marking{"madvise", Match::kWhole, kAdvising},
    Marking{"sysFree", Match::kPrefix, kFreeing},
};

struct Rule {
  std::string_view pattern;
  Match how = Match::kWhole;
  Cause cause = Cause::kUnknown;
  unsigned needs = 0;  // marks without which it does not apply
};

// Functions of package runtime; of two that match a frame, the first.
constexpr std::array kRules{
    Rule{"sysFault", Match::kPrefix, Cause::kArena},
    Rule{"serArena", Match::kPart, Cause::kArena},  // allocUserArenaChunk, setUserArenaChunkToFault, …
    // persistentalloc1 and all that calls it, (*fixalloc).alloc among them.
    Rule{"persistentalloc", Match::kPrefix, Cause::kRuntimeMetadata},
    Rule{"sysAlloc", Match::kPrefix, Cause::kRuntimeMetadata},
    Rule{"newArenaMayUnlock", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"recordspan", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"(*pageAlloc).grow", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"(*pageAlloc).sysGrow", Match::kPrefix, Cause::kRuntimeMetadata},
    Rule{"(*pageAlloc).init", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"(*pageAlloc).sysInit", Match::kPrefix, Cause::kRuntimeMetadata},
    Rule{"(*pageAlloc).enableChunkHugePages", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"(*mheap).enableMetadataHugePages", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"(*scavengeIndex).grow", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"(*scavengeIndex).sysGrow", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"(*scavengeIndex).sysInit", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"vgetrandom", Match::kPrefix, Cause::kRuntimeMetadata},
    Rule{"mallocinit", Match::kWhole, Cause::kRuntimeMetadata},
    Rule{"schedinit", Match::kWhole, Cause::kRuntimeMetadata},
    // Of the arena's own record, since 1.21.
    Rule{"(*mheap).sysAlloc", Match::kWhole, Cause::kRuntimeMetadata, kAdvising},
    // Through 1.16 it makes what it has reserved usable itself.
    Rule{"(*mheap).sysAlloc", Match::kWhole, Cause::kHeapGrowth, kMapping},
    Rule{"(*mheap).sysAlloc", Match::kWhole, Cause::kHeapReserve},
    Rule{"(*mheap).grow", Match::kWhole, Cause::kHeapGrowth},
    // 1.12 and 1.13: what had been given back is allocated, and as much given back elsewhere.
    Rule{"(*mheap).allocSpanLocked", Match::kWhole, Cause::kReuse},
    Rule{"(*mheap).allocSpan", Match::kWhole, Cause::kGrowthOrLimit, kReleasing},
    // By sysUsed, which the stub of madvise may hide.
    Rule{"(*mheap).allocSpan", Match::kWhole, Cause::kReuse},
    Rule{"bgscavenge", Match::kPrefix, Cause::kBackground},
    Rule{"(*scavengerState).", Match::kPrefix, Cause::kBackground},
    Rule{"sysmon", Match::kWhole, Cause::kBackground, kReleasing},
    Rule{"freeOSMemory", Match::kPart, Cause::kFreeOsMemory, kReleasing},
    Rule{"cgocall", Match::kWhole, Cause::kCgo},
};

constexpr std::string_view kRuntime = "runtime.";

// What only the runtime calls C for: its own memory calls, where libc has to see them.
constexpr std::array kRuntimeThroughC{"mmap", "munmap", "callCgoMmap", "callCgoMunmap", "sysMmap", "sysMunmap"};

// Code that is linked in, as the file's name does not tell: a static musl or glibc, a
// jemalloc.
constexpr std::array kCallsOfC{
    "mmap",          "mmap64",      "__mmap",    "__mmap64",    "munmap",        "__munmap",    "madvise",
    "__madvise",     "mremap",      "__mremap",  "brk",         "__brk",         "sbrk",        "__sbrk",
    "malloc",        "calloc",      "realloc",   "free",        "__libc_malloc", "__libc_free", "__libc_realloc",
    "__libc_calloc", "malloc_trim", "sysmalloc", "_int_malloc", "_int_free",     "systrim"};

bool is_c_call(const StackFrame& frame) {
  return is_c_library(frame.module) || std::find(kCallsOfC.begin(), kCallsOfC.end(), frame.name) != kCallsOfC.end();
}

bool is_runtime_package(std::string_view name) {
  return name.starts_with(kRuntime) || name.starts_with("runtime/") || name.starts_with("internal/runtime/");
}

bool is_syscall_package(std::string_view name) {
  return name.starts_with("syscall.") || name.starts_with("internal/syscall/unix.") ||
         name.find("/sys/unix.") != std::string_view::npos;
}

std::optional<Cause> by_rules(std::string_view runtime_name, unsigned marks) {
  for (const Rule& rule : kRules) {
    if ((marks & rule.needs) == rule.needs && matches(runtime_name, rule.how, rule.pattern)) return rule.cause;
  }
  return std::nullopt;
}

// From the first Go frame on.
Cause cause_in_go(std::span<const StackFrame> frames, bool native_before) {
  if (!native_before && !is_runtime_package(frames.front().name)) return Cause::kApp;
  unsigned marks = 0;
  for (const StackFrame& frame : frames) {
    if (frame.kind != Kind::kGo) continue;
    if (is_syscall_package(frame.name)) return Cause::kApp;
    if (frame.name.starts_with("runtime/debug.freeOSMemory") && (marks & kReleasing) != 0) return Cause::kFreeOsMemory;
    if (frame.name.find("._Cfunc_") != std::string_view::npos) return Cause::kCgo;
    if (!frame.name.starts_with(kRuntime)) continue;
    const std::string_view name = frame.name.substr(kRuntime.size());
    for (const Marking& marking : kMarkings) {
      if (matches(name, marking.how, marking.pattern)) marks |= marking.marks;
    }
    if (const auto cause = by_rules(name, marks)) return *cause;
  }
  // The only other caller of scavengeAll is sysmon (1.12), the root of its thread.
  if ((marks & kAll) != 0) return Cause::kFreeOsMemory;
  // The heap itself is never unmapped but by (*mheap).sysAlloc.
  return (marks & kFreeing) != 0 ? Cause::kRuntimeMetadata : Cause::kUnknown;
}

bool calls_c_for_the_runtime(const StackFrame& frame) {
  if (!frame.name.starts_with(kRuntime)) return false;
  std::string_view name = frame.name.substr(kRuntime.size());
  name = name.substr(0, name.find('.'));  // mmap.func1
  return std::find(kRuntimeThroughC.begin(), kRuntimeThroughC.end(), name) != kRuntimeThroughC.end();
}

}  // namespace

bool is_c_library(std::string_view module) {
  constexpr std::array kFiles{"libc.so", "libc-2.",    "libc.musl-",  "ld-musl-",    "ld-linux",
                              "ld-2.",   "libpthread", "libjemalloc", "libtcmalloc", "libmimalloc"};
  return std::any_of(kFiles.begin(), kFiles.end(), [&](std::string_view file) { return module.starts_with(file); });
}

Cause cause_of_stack(std::span<const StackFrame> frames, bool go_program, bool cut_off) {
  const auto first_go =
      std::find_if(frames.begin(), frames.end(), [](const StackFrame& frame) { return frame.kind == Kind::kGo; });
  const auto before = frames.first(static_cast<std::size_t>(first_go - frames.begin()));
  const auto native =
      std::count_if(before.begin(), before.end(), [](const StackFrame& f) { return f.kind == Kind::kNative; });
  const bool all_c_library = std::all_of(before.begin(), before.end(),
                                         [](const StackFrame& f) { return f.kind != Kind::kNative || is_c_call(f); });
  if (first_go == frames.end()) {
    if (native == 0) return Cause::kUnknown;
    if (!all_c_library) return go_program ? Cause::kCgo : Cause::kApp;
    // A chain that has left the stack, through the C library's data, has no end to wait for.
    const bool goes_on = cut_off && frames.back().kind != Kind::kNone;
    return goes_on ? Cause::kUnknown : Cause::kMalloc;
  }
  const auto go = frames.subspan(before.size());
  // The switch to the thread's stack stands between.
  const auto caller = std::find_if(go.begin(), go.end(), [](const StackFrame& frame) {
    return frame.name != "runtime.asmcgocall" && !frame.name.starts_with("runtime.asmcgocall.") &&
           !frame.name.starts_with("runtime.systemstack");
  });
  if (native != 0 && (caller == go.end() || !calls_c_for_the_runtime(*caller))) return Cause::kCgo;
  return cause_in_go(go, native != 0);
}

}  // namespace madvtrace
