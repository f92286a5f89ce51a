// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/page_range.h"
#include "kernel/bpf_session.h"
#include "kernel/tiers/probes.h"
#include "kernel/witness.h"

namespace madvtrace {
namespace {

// Gives a few pages of our own back and touches them again. How many were seen.
Result<unsigned> refaults_of_our_own(const DirectMap& direct_map) {
  MADV_TAKE(auto session, BpfSession::load({.direct_map = direct_map, .gc_marks = false, .refaults = true}));
  MADV_TRY(session->attach_all());
  const auto pid = static_cast<std::uint32_t>(::getpid());
  MADV_TAKE(const FaultWatch watched, session->fault_events()->watch(pid));
  MADV_TRY(session->add_target(pid, /*follow=*/false));
  const std::size_t bytes = kProbePages * kPageBytes;
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return fail(errno_text("mmap", errno));
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  std::memset(at, 1, bytes);
  ::madvise(at, bytes, MADV_DONTNEED);
  std::memset(at, 1, kGivenBackPages * kPageBytes);
  ::munmap(at, bytes);
  session->detach_all();
  Witness witness;
  MADV_TRY(session->ring().drain_all(witness));
  return witness.refaults();
}

}  // namespace

std::vector<Finding> probe_refaults_tier(const Result<DirectMap>& direct_map) {
  Finding finding{.tier = "refaults", .what = "page-faults event (perf)"};
  const Result<unsigned> seen =
      direct_map ? refaults_of_our_own(*direct_map) : fail(ExitCode::kUnsupported, "needs the page walk");
  if (!seen) {
    finding.answer = Answer::kNo;
    finding.detail = seen.error().message;
  } else if (*seen == kGivenBackPages) {
    finding.answer = Answer::kYes;
    finding.detail = fmt::format("saw {} of {} known pages touched again", *seen, kGivenBackPages);
  } else {
    finding.detail = fmt::format("attached, but saw {} of {} pages touched again", *seen, kGivenBackPages);
  }
  return {finding};
}

}  // namespace madvtrace
