// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
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
#include <span>
#include <utility>

#include "base/page_range.h"
#include "base/unique_fd.h"
#include "kernel/bpf_session.h"
#include "kernel/tiers/probes.h"
#include "kernel/witness.h"

namespace madvtrace {
namespace {

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
  GcProbe probe;
  const Status attached = session.gc_probes()->attach(probe, static_cast<std::uint32_t>(::getpid()), "/proc/self/exe",
                                                      {.start_offset = *offset, .end_offset = *offset});
  if (!attached) return attached.error().message;
  probed_function();
  probe = GcProbe();
  session.gc_probes()->detach_retired();
  return "";
}

Finding gc_marks_finding(const std::string& refused, const Witness& witness) {
  Finding finding{.tier = "base", .what = "gc marks (uprobe)", .optional = true};
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
  const std::size_t bytes = kProbePages * kPageBytes;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return;
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  std::memset(at, 1, bytes);
  ::madvise(at, kGivenBackPages * kPageBytes, MADV_DONTNEED);
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  iovec range{.iov_base = at, .iov_len = bytes};
  ::syscall(SYS_process_madvise, self.get(), &range, 1, MADV_COLD, 0);
  void* const moved = ::mremap(at, bytes, bytes / 2, MREMAP_MAYMOVE);
  if (moved != MAP_FAILED) at = moved;
  ::syscall(SYS_brk, 0);
  // Reclaim of our own, on kernels that count it there (6.17+).
  std::memset(at, 1, kPageBytes);
  ::madvise(at, kPageBytes, MADV_FREE);
  ::madvise(at, kPageBytes, MADV_PAGEOUT);
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

Finding page_walk_finding(const Result<DirectMap>& direct_map, const Witness& witness) {
  Finding finding{.tier = "base", .what = "page walk", .optional = true};
  if (!direct_map) {
    finding.answer = Answer::kNo;
    finding.detail = direct_map.error().message + "; resident bytes are sampled instead";
  } else if (!witness.walked_pages()) {
    finding.detail = "no walk was seen";
  } else if (*witness.walked_pages() != kGivenBackPages) {
    finding.answer = Answer::kNo;
    finding.detail = fmt::format("counted {} of {} pages that were resident", *witness.walked_pages(), kGivenBackPages);
  } else {
    finding.answer = Answer::kYes;
    finding.detail = fmt::format("{} levels, counted {} of {} known pages", direct_map->levels, *witness.walked_pages(),
                                 kGivenBackPages);
  }
  return finding;
}

// Of one that a call of ours hits, unless nothing harmless that we do can: then it is optional for doctor, and all that
// is known is whether it could be attached.
Finding hook_finding(const Hook& hook, const Status& attached, const Witness& witness) {
  Finding finding{.tier = "base", .what = hook.name, .optional = hook.name == kGroupHook};
  if (!attached) {
    finding.answer = Answer::kNo;
    finding.detail = attached.error().message;
  } else if (hook.name == kGroupHook) {
    finding.detail = "attached; nobody was moved between cgroups";
  } else if (witness.saw(hook.name)) {
    finding.answer = Answer::kYes;
  } else {
    finding.detail = "attached, but a call of our own did not show up";
  }
  return finding;
}

// `reclaimed_own`: whether pages were counted that we had reclaimed ourselves.
Finding reclaim_finding(const Hook& hook, const Status& attached, bool reclaimed_own) {
  Finding finding{.tier = "base", .what = hook.name, .optional = true};
  if (!attached) {
    finding.answer = Answer::kNo;
    finding.detail = attached.error().message;
  } else if (reclaimed_own && hook.name == kReclaimPagesHook) {
    finding.answer = Answer::kYes;
  } else {
    finding.detail = "attached; nothing was reclaimed meanwhile";
  }
  return finding;
}

}  // namespace

std::vector<Finding> probe_base_tier(const Result<DirectMap>& direct_map) {
  const Result<std::unique_ptr<BpfSession>> session =
      BpfSession::load({.direct_map = direct_map ? std::optional(*direct_map) : std::nullopt, .group = true});
  std::vector<Finding> findings{{.tier = "base",
                                 .what = "BPF programs",
                                 .answer = session ? Answer::kYes : Answer::kNo,
                                 .detail = session ? "" : session.error().message}};
  if (!session) return findings;

  AttachedHooks attached = attach_each(**session);
  Witness witness;
  std::string gc_refused;
  if ((*session)->add_target(static_cast<std::uint32_t>(::getpid()), /*follow=*/true)) {
    make_calls();
    gc_refused = probe_own_function(**session);
  }
  attached.links.clear();
  if (const Status drained = (*session)->ring().drain_all(witness); !drained) {
    findings.push_back(
        {.tier = "base", .what = "ring buffer", .answer = Answer::kNo, .detail = drained.error().message});
  }

  const bool reclaimed_own = (*session)->reclaims().at(WIRE_RECLAIM_SELF).pages != 0;
  for (const Hook& hook : (*session)->hooks()) {
    const Status& status = attached.status[hook.name];
    findings.push_back(hook.optional ? reclaim_finding(hook, status, reclaimed_own)
                                     : hook_finding(hook, status, witness));
  }
  findings.push_back({.tier = "base",
                      .what = "user stacks",
                      .answer = witness.saw("user stacks") ? Answer::kYes : Answer::kInconclusive,
                      .optional = true});
  findings.push_back(gc_marks_finding(gc_refused, witness));
  findings.push_back(page_walk_finding(direct_map, witness));
  return findings;
}

}  // namespace madvtrace
