// SPDX-License-Identifier: Apache-2.0
#include "kernel/capabilities.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/page_range.h"
#include "base/unique_fd.h"
#include "bpf/wire.h"
#include "kernel/bpf_session.h"
#include "kernel/privileges.h"

namespace madvtrace {
namespace {

constexpr const char* kBase = "base";
constexpr const char* kRefaults = "refaults";
constexpr std::size_t kPages = 8;
constexpr std::size_t kGivenBack = 4;  // of them, by the madvise that is checked

// Notes which hooks wrote something, and what the walk counted.
class Witness : public RecordSink {
 public:
  void on_record(RecordBytes record) override {
    wire_header header{};
    if (record.size() < sizeof(header)) return;
    std::memcpy(&header, record.data(), sizeof(header));
    if (header.kind == WIRE_RELEASE_BEGIN || header.kind == WIRE_CALL) return on_call(record);
    if (header.kind == WIRE_RELEASE_END) return on_end(header.tid);
    if (header.kind == WIRE_FORK) seen_.insert("sched:sched_process_fork");
    if (header.kind == WIRE_EXEC) seen_.insert("sched:sched_process_exec");
    if (header.kind == WIRE_EXIT) seen_.insert("sched:sched_process_exit");
    if (header.kind == WIRE_STACK) seen_.insert("user stacks");
    if (header.kind == WIRE_GC_START || header.kind == WIRE_GC_END) ++gc_marks_;
    if (header.kind == WIRE_REFAULT) ++refaults_;
  }

  // An entry hook is proved by any record of its call; an exit hook by a WIRE_CALL, or
  // by the end that follows a begin.
  bool saw(const std::string& hook) const { return seen_.contains(hook); }
  std::optional<std::uint64_t> walked_pages() const { return walked_pages_; }
  unsigned gc_marks() const { return gc_marks_; }
  unsigned refaults() const { return refaults_; }

 private:
  static const char* name(std::uint16_t number) {
    constexpr std::array<const char*, 7> kNames{"", "mmap", "munmap", "madvise", "process_madvise", "mremap", "brk"};
    return number < kNames.size() ? kNames.at(number) : "";
  }

  void on_call(RecordBytes record) {
    if (record.size() != sizeof(wire_call)) return;
    wire_call call{};
    std::memcpy(&call, record.data(), sizeof(call));
    seen_.insert(fmt::format("syscalls:sys_enter_{}", name(call.syscall)));
    // A release's end does not name the call: it is the one that its thread began last.
    last_calls_[call.header.tid] = call.syscall;
    if (call.header.kind == WIRE_CALL) on_end(call.header.tid);
    // Threads that libraries start, to probe for features, give their stacks back.
    const bool is_checked = call.syscall == WIRE_MADVISE && call.range_bytes == kGivenBack * kPageBytes;
    if (is_checked && (call.walk.flags & WIRE_WALK_DONE) != 0) walked_pages_ = call.walk.resident_pages;
  }

  void on_end(std::uint32_t tid) { seen_.insert(fmt::format("syscalls:sys_exit_{}", name(last_calls_[tid]))); }

  std::set<std::string> seen_;
  std::map<std::uint32_t, std::uint16_t> last_calls_;
  std::optional<std::uint64_t> walked_pages_;
  unsigned gc_marks_ = 0;
  unsigned refaults_ = 0;
};

// Stands in for a function of the Go runtime.
[[gnu::noinline]] void probed_function() { asm volatile(""); }

// Where the function's first instruction stands in /proc/self/exe.
std::optional<std::uint64_t> file_offset_of(void (*function)()) {
  struct Search {
    std::uint64_t address;
    std::optional<std::uint64_t> offset;
  } search{reinterpret_cast<std::uint64_t>(function), std::nullopt};
  const auto look = [](dl_phdr_info* image, std::size_t /*bytes*/, void* data) {
    auto& wanted = *static_cast<Search*>(data);
    for (const auto& segment : std::span(image->dlpi_phdr, image->dlpi_phnum)) {
      const std::uint64_t begin = image->dlpi_addr + segment.p_vaddr;
      if (segment.p_type != PT_LOAD || wanted.address < begin || wanted.address - begin >= segment.p_filesz) continue;
      wanted.offset = segment.p_offset + (wanted.address - begin);
    }
    return 1;  // the program itself comes first
  };
  ::dl_iterate_phdr(look, &search);
  return search.offset;
}

// Attaches both breakpoints to a function of our own, and runs into them.
std::string probe_own_function(BpfSession& session) {
  if (session.gc_probes() == nullptr) return "this kernel has no uprobes for BPF programs";
  const auto offset = file_offset_of(probed_function);
  if (!offset) return "our own program is not where it was loaded from";
  const Status attached = session.gc_probes()->attach(static_cast<std::uint32_t>(::getpid()), "/proc/self/exe",
                                                      {.start_offset = *offset, .end_offset = *offset});
  if (!attached) return attached.error().message;
  probed_function();
  session.gc_probes()->detach_all();
  return "";
}

Finding gc_marks_finding(const std::string& refused, const Witness& witness) {
  Finding finding{.tier = kBase, .what = "gc marks (uprobe)"};
  if (!refused.empty()) {
    finding.answer = Answer::kNo;
    finding.detail = refused;
  } else if (witness.gc_marks() == 2) {
    finding.answer = Answer::kYes;
  } else {
    finding.detail = "attached, but a call of our own did not show up";
  }
  return finding;
}

// One call of each kind, and a child that execs and exits.
void make_calls() {
  const std::size_t bytes = kPages * kPageBytes;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return;
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  std::memset(at, 1, bytes);
  ::madvise(at, kGivenBack * kPageBytes, MADV_DONTNEED);
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  iovec range{.iov_base = at, .iov_len = bytes};
  ::syscall(SYS_process_madvise, self.get(), &range, 1, MADV_COLD, 0);
  void* const moved = ::mremap(at, bytes, bytes / 2, MREMAP_MAYMOVE);
  if (moved != MAP_FAILED) at = moved;
  ::syscall(SYS_brk, 0);
  ::munmap(at, bytes / 2);
  const pid_t child = ::fork();
  if (child == 0) {
    const UniqueFd null(::open("/dev/null", O_RDWR));
    ::dup2(null.get(), STDOUT_FILENO);
    std::array<char*, 3> arguments{const_cast<char*>("madvtrace"), const_cast<char*>("--version"), nullptr};
    ::execv("/proc/self/exe", arguments.data());
    ::_exit(1);
  }
  if (child > 0) ::waitpid(child, nullptr, 0);
}

// Gives a few pages of our own back and touches them again. Programs that the base tier
// does without are loaded for it, so with a session of its own: how many were seen.
Result<unsigned> refaults_of_our_own(const DirectMap& direct_map) {
  auto session = BpfSession::load({.direct_map = direct_map, .gc_marks = false, .refaults = true});
  if (!session) return tl::unexpected(session.error());
  const Result<TraceFs> tracefs = TraceFs::open();
  if (!tracefs) return tl::unexpected(tracefs.error());
  std::vector<Link> links;
  for (const Hook& hook : (*session)->hooks()) {
    if (hook.name != "syscalls:sys_enter_madvise" && hook.name != "syscalls:sys_exit_madvise") continue;
    Result<Link> link = attach(hook, *tracefs);
    if (!link) return tl::unexpected(link.error());
    links.push_back(std::move(*link));
  }
  const auto pid = static_cast<std::uint32_t>(::getpid());
  if (const Status watched = (*session)->fault_events()->watch(pid); !watched) return tl::unexpected(watched.error());
  if (const Status added = (*session)->add_target(pid, /*follow=*/false); !added) return tl::unexpected(added.error());
  const std::size_t bytes = kPages * kPageBytes;
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return fail(errno_text("mmap", errno));
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  std::memset(at, 1, bytes);
  ::madvise(at, bytes, MADV_DONTNEED);
  std::memset(at, 1, kGivenBack * kPageBytes);
  ::munmap(at, bytes);
  links.clear();
  Witness witness;
  if (const Status drained = (*session)->ring().drain_all(witness); !drained) return tl::unexpected(drained.error());
  return witness.refaults();
}

Finding refaults_finding(const Result<DirectMap>& direct_map) {
  Finding finding{.tier = kRefaults, .what = "page-faults event (perf)"};
  if (!direct_map) {
    finding.answer = Answer::kNo;
    finding.detail = "needs the page walk";
    return finding;
  }
  const Result<unsigned> seen = refaults_of_our_own(*direct_map);
  if (!seen) {
    finding.answer = Answer::kNo;
    finding.detail = seen.error().message;
  } else if (*seen == kGivenBack) {
    finding.answer = Answer::kYes;
    finding.detail = fmt::format("saw {} of {} known pages touched again", *seen, kGivenBack);
  } else {
    finding.detail = fmt::format("attached, but saw {} of {} pages touched again", *seen, kGivenBack);
  }
  return finding;
}

Finding page_walk_finding(const Result<DirectMap>& direct_map, const Witness& witness) {
  Finding finding{.tier = kBase, .what = "page walk"};
  if (!direct_map) {
    finding.answer = Answer::kNo;
    finding.detail = direct_map.error().message + "; resident bytes are sampled instead";
  } else if (!witness.walked_pages()) {
    finding.detail = "no walk was seen";
  } else if (*witness.walked_pages() != kGivenBack) {
    finding.answer = Answer::kNo;
    finding.detail = fmt::format("counted {} of {} pages that were resident", *witness.walked_pages(), kGivenBack);
  } else {
    finding.answer = Answer::kYes;
    finding.detail =
        fmt::format("{} levels, counted {} of {} known pages", direct_map->levels, *witness.walked_pages(), kGivenBack);
  }
  return finding;
}

}  // namespace

std::vector<Finding> probe_capabilities() {
  std::vector<Finding> findings;
  const Status privileges = check_privileges();
  findings.push_back({.tier = kBase,
                      .what = "privileges",
                      .answer = privileges ? Answer::kYes : Answer::kNo,
                      .detail = privileges ? "" : privileges.error().message});
  if (!privileges) return findings;

  const Result<DirectMap> direct_map = find_direct_map();
  const Result<std::unique_ptr<BpfSession>> session =
      BpfSession::load({.direct_map = direct_map ? std::optional(*direct_map) : std::nullopt});
  findings.push_back({.tier = kBase,
                      .what = "BPF programs",
                      .answer = session ? Answer::kYes : Answer::kNo,
                      .detail = session ? "" : session.error().message});
  if (!session) return findings;

  const Result<TraceFs> tracefs = TraceFs::open();
  std::map<std::string, std::string> refused;
  std::vector<Link> links;
  const std::vector<Hook> hooks = (*session)->hooks();
  for (const Hook& hook : hooks) {
    Result<Link> link = tracefs ? attach(hook, *tracefs) : tl::unexpected(tracefs.error());
    if (link) {
      links.push_back(std::move(*link));
    } else {
      refused[hook.name] = link.error().message;
    }
  }
  Witness witness;
  std::string gc_refused;
  if ((*session)->add_target(static_cast<std::uint32_t>(::getpid()), /*follow=*/true)) {
    make_calls();
    gc_refused = probe_own_function(**session);
  }
  links.clear();
  if (const Status drained = (*session)->ring().drain_all(witness); !drained) {
    findings.push_back(
        {.tier = kBase, .what = "ring buffer", .answer = Answer::kNo, .detail = drained.error().message});
  }

  for (const Hook& hook : hooks) {
    Finding finding{.tier = kBase, .what = hook.name};
    if (const auto why = refused.find(hook.name); why != refused.end()) {
      finding.answer = Answer::kNo;
      finding.detail = why->second;
    } else if (witness.saw(hook.name)) {
      finding.answer = Answer::kYes;
    } else {
      finding.detail = "attached, but a call of our own did not show up";
    }
    findings.push_back(std::move(finding));
  }
  for (const Hook& hook : (*session)->optional_hooks()) {
    const Result<Link> link = tracefs ? attach(hook, *tracefs) : tl::unexpected(tracefs.error());
    findings.push_back({.tier = kBase,
                        .what = hook.name,
                        .answer = link ? Answer::kYes : Answer::kNo,
                        .detail = link ? "attached; nothing was reclaimed to see it hit" : link.error().message});
  }
  findings.push_back({.tier = kBase,
                      .what = "user stacks",
                      .answer = witness.saw("user stacks") ? Answer::kYes : Answer::kInconclusive});
  findings.push_back(gc_marks_finding(gc_refused, witness));
  findings.push_back(page_walk_finding(direct_map, witness));
  findings.push_back(refaults_finding(direct_map));
  return findings;
}

}  // namespace madvtrace
