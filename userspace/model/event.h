// SPDX-License-Identifier: Apache-2.0
// What the model is fed with, one event a stream record, in stream order. Passive
// data: the stream layer has checked bounds and kinds, nothing else; addresses,
// lengths and names come from traced programs and can be anything.
//
// Where two names for one thing exist, the kernel's is used; see bpf/records.h for
// what each field means and is counted in.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/cause.h"
#include "base/enum_names.h"
#include "base/field.h"
#include "base/go_heap.h"
#include "base/group_charge.h"
#include "base/page_range.h"
#include "model/call_kind.h"

namespace madvtrace {

using Comm = std::array<char, 16>;  // NUL-padded, any bytes

struct Stamp {
  std::uint64_t mono_ns = 0;
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint64_t lost = 0;  // records that the kernel side had lost before this one
};

// What page tables held for a range, in 4 KiB pages.
struct Walk {
  std::uint64_t resident_pages = 0;
  std::uint64_t clean_pages = 0;
  std::uint64_t huge_pages = 0;
  std::uint64_t swap_pages = 0;
  bool done = false;  // without it nothing else here means anything
  bool capped = false;
  bool sampled = false;
  bool file = false;
  bool clean_unknown = false;
};

struct CallFields {
  CallKind kind = CallKind::kMmap;  // no marker
  std::array<std::uint64_t, 6> args{};
  std::uint64_t begin_ns = 0;
  std::uint64_t stack_key = 0;  // 0: no stack
  std::uint64_t cgroup_id = 0;
  Comm comm{};
  bool remote = false;
  bool ranges_missing = false;  // records were lost in the middle of it: perhaps some of its ranges
};

struct ReleaseBegin {
  Stamp stamp;
  CallFields call;
  AddressRange range;
  Walk walk;
};

struct ReleaseRange {
  Stamp stamp;
  std::uint64_t begin_ns = 0;
  AddressRange range;
  Walk walk;
};

struct ReleaseEnd {
  Stamp stamp;
  std::uint64_t begin_ns = 0;
  std::int64_t ret = 0;
  Walk after;
};

struct PlainCall {
  Stamp stamp;
  CallFields call;
  std::int64_t ret = 0;
  AddressRange range;
  Walk walk;
};

inline constexpr std::uint64_t kChunkBytes = std::uint64_t{2} << 20;  // what one page table maps
inline constexpr std::size_t kChunkPages = kChunkBytes / kPageBytes;
using PageBits = std::array<std::uint64_t, kChunkPages / 64>;  // one bit for each page of a chunk

// Which pages of a chunk are resident, and which of those clean; bits outside of
// [first_page, first_page + pages) mean nothing.
struct Pages {
  Stamp stamp;
  std::uint64_t begin_ns = 0;  // of the release it belongs to; on demand: of the look itself
  std::uint64_t chunk_addr = 0;
  std::uint32_t first_page = 0;
  std::uint32_t pages = 0;
  bool on_demand = false;
  bool huge = false;  // on demand: it is one huge page
  PageBits resident_bits{};
  PageBits clean_bits{};

  bool covers(std::size_t page) const { return page >= first_page && page < first_page + pages; }
  bool resident(std::size_t page) const { return (resident_bits[page / 64] >> (page % 64) & 1U) != 0; }
  // Only of what is resident.
  bool clean(std::size_t page) const { return (clean_bits[page / 64] >> (page % 64) & 1U) != 0; }
  bool swapped(std::size_t page) const { return !resident(page) && clean(page); }
};

// A page that was given back, and is absent, is touched.
struct Refault {
  Stamp stamp;  // its tid: whoever touches it
  std::uint64_t addr = 0;
  bool swapped = false;  // it is in swap, where no release but MADV_PAGEOUT puts a page
};

// As enum wire_reclaimer; the last reclaims nothing, it brings pages back.
enum class Reclaimer : std::uint8_t { kKswapd, kMemcg, kDirect, kDamon, kOther, kSelf, kKhugepaged };

inline constexpr auto kReclaimerNames = names_of<Reclaimer::kKhugepaged>({
    {Reclaimer::kKswapd, "kswapd"},
    {Reclaimer::kMemcg, "memcg"},
    {Reclaimer::kDirect, "direct"},
    {Reclaimer::kDamon, "damon"},
    {Reclaimer::kOther, "other"},
    {Reclaimer::kSelf, "self"},
    {Reclaimer::kKhugepaged, "khugepaged"},
});

// Lazily freed pages left RSS at this very moment.
struct Reclaimed {
  Stamp stamp;  // whose they are
  std::uint64_t addr = 0;
  std::uint32_t pages = 0;
  Reclaimer by = Reclaimer::kKswapd;
};

// Pages of an address space, as the kernel counts them (fs/proc/task_mmu.c): RSS is all
// but those in swap.
struct RssPages {
  std::uint64_t file = 0;
  std::uint64_t anon = 0;
  std::uint64_t swap = 0;
  std::uint64_t shmem = 0;
};

// What changes of it are counted from.
struct RssBegin {
  Stamp stamp;
  RssPages pages;
};

// Why RSS changes, as enum wire_rss_cause; kExit is the model's own conclusion.
enum class RssCause : std::uint8_t { kFault, kRelease, kKhugepaged, kOomReaper, kOther, kReclaim, kExit };

inline constexpr auto kRssCauseNames = names_of<RssCause::kExit>({
    {RssCause::kFault, "fault"},
    {RssCause::kRelease, "release"},
    {RssCause::kKhugepaged, "khugepaged"},
    {RssCause::kOomReaper, "oom_reaper"},
    {RssCause::kOther, "other"},
    {RssCause::kReclaim, "reclaim"},
    {RssCause::kExit, "exit"},
});

// Of one cause, since RssBegin.
struct RssChanges {
  Stamp stamp;
  RssCause cause = RssCause::kFault;
  std::optional<Reclaimer> by;  // of kReclaim
  RssPages gained;
  RssPages lost;
};

struct Stack {
  Stamp stamp;
  std::uint64_t stack_key = 0;
  std::vector<std::uint64_t> addresses;  // leaf first
};

struct Fork {
  Stamp stamp;
  std::uint32_t child_pid = 0;
  bool followed = false;
};

enum class GcTrigger : std::uint8_t { kHeap, kTime, kForced };

// A Go program's garbage collection starts to mark, or has marked everything.
struct GcMark {
  Stamp stamp;
  bool is_start = false;
  std::optional<GcTrigger> trigger;  // of a start
  std::uint64_t cgroup_id = 0;
  Comm comm{};
};

// The file of a program as the kernel knows it; all 0: not known.
struct ProgramFile {
  std::uint64_t inode = 0;
  std::uint32_t device = 0;
  bool operator<(const ProgramFile& other) const {
    return std::tie(inode, device) < std::tie(other.inode, other.device);
  }
};

// Why a process of the watched cgroup began to be traced, or does not any more: as enum
// wire_member_why.
enum class MemberWhy : std::uint8_t { kFound, kCalled, kForked, kMoved, kExeced, kRefused };

struct Join {
  Stamp stamp;
  std::uint64_t cgroup_id = 0;
  ProgramFile program;
  MemberWhy why = MemberWhy::kFound;
  Comm comm{};
};

struct Leave {
  Stamp stamp;
  std::uint64_t cgroup_id = 0;
  MemberWhy why = MemberWhy::kMoved;
  Comm comm{};
};

struct Exec {
  Stamp stamp;
  std::uint64_t cgroup_id = 0;
  ProgramFile program;
  Comm comm{};
};

struct Exit {
  Stamp stamp;
  std::uint64_t cgroup_id = 0;
  std::int32_t wait_status = 0;
  Comm comm{};
};

// The collector's own records from here on.

// First in every stream.
struct RunInfo {
  std::string version;
  std::string kernel;
  std::string tier;  // "base", "refaults", "exact" or "refaults+exact"
  std::vector<std::string> argv;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> capabilities;  // name -> "yes", or why not
  std::uint64_t started_mono_ns = 0;
  std::uint64_t started_utc_ns = 0;
  std::optional<std::uint64_t> fault_ns;  // CPU time that a fault of the collector's own took; if refaults are recorded

  bool records_refaults() const { return tier.find("refaults") != std::string::npos; }
  bool records_rss() const { return tier.find("exact") != std::string::npos; }
};

// UTC = CLOCK_MONOTONIC + offset, from here on: NTP may step it during a trace.
struct ClockAnchor {
  std::int64_t utc_minus_mono_ns = 0;
};

// What is known of a Go program before it is looked into.
struct GoProgram {
  std::string version;                          // "go1.19.8"; empty: not known, or not a Go program
  std::string godebug;                          // of the environment that it was started with
  std::optional<std::int32_t> expected_advice;  // that this version with these settings releases with
  std::string books = "none";                   // where the runtime's own numbers are from: dwarf, symtab, code, http
  std::string books_why_not;                    // if none
  std::string build_id;                         // of Go's linker (golang/build_info.h); empty: none
  bool is_go = false;
};

// Its texts; an empty one is written as it is, and one that is missing leaves the default.
inline constexpr std::tuple kGoProgramTexts{
    Field{"go_version", &GoProgram::version},   Field{"godebug", &GoProgram::godebug},
    Field{"books", &GoProgram::books},          Field{"books_why_not", &GoProgram::books_why_not},
    Field{"go_build_id", &GoProgram::build_id},
};

// A process became a target, or one runs a new program since its exec.
struct ProcessInfo {
  Stamp stamp;
  std::uint64_t start_utc_ns = 0;
  std::string comm;
  std::string exe;
  std::string build_id;  // empty: none found
  std::string cgroup;    // path in the unified hierarchy, or of the memory controller; empty: unknown
  std::string gc_marks;  // "yes", or why its garbage collections are not shown; empty: not a Go program
  GoProgram go;
  bool outside_group = false;  // a target for another reason than being in the group that is watched
};

// A cgroup is watched, with all groups below it: what it is, as it was found
// (containers/find_group.h).
struct GroupInfo {
  std::string name;  // as the user wrote it
  std::string path;
  std::vector<std::string> controllers;  // of its v1 hierarchy; none: the unified one
  std::uint64_t id = 0;                  // the kernel's, unique in its hierarchy
  std::string how;
  std::string container_id;    // empty: not a container, or not known to be one
  std::string container_name;  // empty: it has none
  bool go_only = false;        // processes that are not Go programs are left out
};

// The group as a whole at one moment. No process: its stamp has pid 0.
struct GroupSample {
  Stamp stamp;
  GroupCharge charge;
  GroupCounts counts;
  std::optional<std::uint64_t> processes;  // in it and the groups below it, traced or not
};

// A process of the group is not followed, because it is not a Go program.
struct LeftOut {
  Stamp stamp;
  std::uint64_t start_utc_ns = 0;  // 0: not known
  std::string comm;
  std::string exe;
};

// What a page walk found of one kind of private anonymous mapping.
struct ResidentIn {
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> lazyfree_bytes;
};

inline constexpr std::tuple kResidentInFields{
    Field{"resident_bytes", &ResidentIn::resident_bytes},
    Field{"lazyfree_bytes", &ResidentIn::lazyfree_bytes},
};

// The memory of one process at one moment; nothing is 0 because it is unknown.
struct Sample {
  Stamp stamp;
  std::optional<std::uint64_t> rss_bytes;
  std::optional<std::uint64_t> rss_anon_bytes;
  std::optional<std::uint64_t> rss_file_bytes;
  std::optional<std::uint64_t> rss_shmem_bytes;
  std::optional<std::uint64_t> swap_bytes;
  std::optional<std::uint64_t> page_tables_bytes;
  std::optional<std::uint64_t> lazyfree_bytes;
  std::optional<std::uint64_t> anon_huge_bytes;
  std::optional<std::uint64_t> rss_locked_bytes;  // VmLck: locked mappings, whether resident or not
  GroupCharge group;
  GoHeap go;
  std::string go_dropped;  // why the runtime's books were not believed, or its page not had, now
  struct {
    ResidentIn go_arenas;    // empty: it is not known where they are
    ResidentIn malloc_heap;  // brk
  } anon;
};

// Its own; those of its parts stand in their tables.
inline constexpr std::tuple kSampleFields{
    Field{"rss_bytes", &Sample::rss_bytes},
    Field{"rss_anon_bytes", &Sample::rss_anon_bytes},
    Field{"rss_file_bytes", &Sample::rss_file_bytes},
    Field{"rss_shmem_bytes", &Sample::rss_shmem_bytes},
    Field{"swap_bytes", &Sample::swap_bytes},
    Field{"page_tables_bytes", &Sample::page_tables_bytes},
    Field{"lazyfree_bytes", &Sample::lazyfree_bytes},
    Field{"anon_huge_bytes", &Sample::anon_huge_bytes},
    Field{"rss_locked_bytes", &Sample::rss_locked_bytes},
};

// Calls f(prefix, name, value) for every number of a sample: prefix and name together are
// what it is called in a recording and in samples.csv.
template <class S, class F>
void for_each_sample_value(S& sample, F&& f) {
  for_each_value(kSampleFields, sample, "", f);
  for_each_value(kGroupChargeFields, sample.group, "cgroup_", f);
  for_each_value(kGoHeapFields, sample.go, "go_", f);
  for_each_value(kResidentInFields, sample.anon.go_arenas, "go_arenas_", f);
  for_each_value(kResidentInFields, sample.anon.malloc_heap, "malloc_heap_", f);
}

// A stack's addresses as text, leaf first, ';' between, and what they say about why the
// call was made. Both are empty if it is too late to look: the process is gone, or runs
// another program.
struct Frames {
  std::uint64_t stack_key = 0;
  std::string text;
  std::optional<Cause> cause;
};

// Somebody reclaimed between from_ns and to_ns, somewhere on the machine.
struct Reclaim {
  Reclaimer by = Reclaimer::kKswapd;
  std::uint64_t from_ns = 0;
  std::uint64_t to_ns = 0;
  std::optional<std::uint64_t> pages;  // of anybody's, at most; empty: not known (kswapd)
  std::uint32_t pid = 0;               // kSelf: which process
};

// That many more were lost for this reason, here.
struct Loss {
  std::string cause;
  std::uint64_t count = 0;
};

// The command that the tracer started has ended, as waitpid() reports it.
struct CommandEnd {
  std::uint32_t pid = 0;
  std::int32_t wait_status = 0;
};

// Last in every stream that was ended in order.
struct RunEnd {
  std::uint64_t ended_mono_ns = 0;
  std::uint64_t self_cpu_ns = 0;
  std::uint64_t self_max_rss_bytes = 0;
};

using Event = std::variant<ReleaseBegin, ReleaseRange, ReleaseEnd, PlainCall, Pages, Refault, Reclaimed, RssBegin,
                           RssChanges, Stack, Fork, Join, Leave, GcMark, Exec, Exit, RunInfo, ClockAnchor, ProcessInfo,
                           Sample, Frames, Reclaim, Loss, CommandEnd, RunEnd, GroupInfo, GroupSample, LeftOut>;

}  // namespace madvtrace
