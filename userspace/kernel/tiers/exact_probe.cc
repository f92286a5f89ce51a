// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "base/page_range.h"
#include "kernel/bpf_session.h"
#include "kernel/tiers/probes.h"
#include "kernel/witness.h"

namespace madvtrace {
namespace {

constexpr std::size_t kBytes = kProbePages * kPageBytes;

// Pages of our own are touched, freed lazily, reclaimed on our own demand, and unmapped.
Status take_own_pages() {
  void* const at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return fail(errno_text("mmap", errno));
  ::madvise(at, kBytes, MADV_NOHUGEPAGE);
  std::memset(at, 1, kBytes);
  ::madvise(at, kGivenBackPages * kPageBytes, MADV_FREE);
  ::madvise(at, kGivenBackPages * kPageBytes, MADV_PAGEOUT);
  ::munmap(at, kBytes);
  return {};
}

struct Seen {
  std::map<std::string, Status> attached;
  Status moments;
  Witness witness;
};

Result<Seen> trace_ourselves(const Result<DirectMap>& direct_map) {
  MADV_TAKE(auto session, BpfSession::load({.direct_map = direct_map ? std::optional(*direct_map) : std::nullopt,
                                            .gc_marks = false,
                                            .exact = true}));
  AttachedHooks hooks = attach_each(*session);
  Seen seen{.attached = std::move(hooks.status), .moments = session->reclaim_moments()};
  const auto pid = static_cast<std::uint32_t>(::getpid());
  MADV_TRY(session->add_target(pid, /*follow=*/false));
  MADV_TRY(session->find_targets());
  MADV_TRY(take_own_pages());
  session->tell_rss(pid);
  hooks.links.clear();
  MADV_TRY(session->ring().drain_all(seen.witness));
  return seen;
}

// What was not taken by the kernel meanwhile went when it was unmapped.
Finding rss_finding(const Status& attached, const Witness& witness) {
  Finding finding{.tier = "exact", .what = "kmem:rss_stat"};
  if (!attached) {
    finding.answer = Answer::kNo;
    finding.detail = attached.error().message;
  } else if (witness.faulted_pages() >= kProbePages && witness.released_pages() >= kProbePages) {
    finding.answer = Answer::kYes;
    finding.detail = fmt::format("counted {} known pages coming and going", kProbePages);
  } else {
    finding.detail = fmt::format("attached, but counted {} of {} pages coming and {} going", witness.faulted_pages(),
                                 kProbePages, witness.released_pages());
  }
  return finding;
}

Finding moments_finding(const Status& moments, const Status& attached, const Witness& witness) {
  Finding finding{.tier = "exact", .what = "fexit:try_to_unmap_one", .optional = true};
  if (!moments || !attached) {
    finding.answer = Answer::kNo;
    finding.detail = (moments ? attached : moments).error().message;
  } else if (witness.reclaimed_pages() == kGivenBackPages) {
    finding.answer = Answer::kYes;
    finding.detail = fmt::format("saw {} of {} known pages taken", witness.reclaimed_pages(), kGivenBackPages);
  } else {
    finding.detail = fmt::format("attached, but saw {} of {} pages taken", witness.reclaimed_pages(), kGivenBackPages);
  }
  return finding;
}

}  // namespace

std::vector<Finding> probe_exact_tier(const Result<DirectMap>& direct_map) {
  Result<Seen> seen = trace_ourselves(direct_map);
  if (!seen) return {{.tier = "exact", .what = "kmem:rss_stat", .answer = Answer::kNo, .detail = seen.error().message}};
  std::vector<Finding> findings{rss_finding(seen->attached["kmem:rss_stat"], seen->witness)};
  findings.push_back(moments_finding(seen->moments, seen->attached["fexit:try_to_unmap_one"], seen->witness));
  return findings;
}

}  // namespace madvtrace
