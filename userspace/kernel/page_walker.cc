// SPDX-License-Identifier: Apache-2.0
#include "kernel/page_walker.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "bpf/control.h"
#include "kernel/syscall_program.h"

namespace madvtrace {
namespace {

constexpr std::size_t kJobsBytes = (sizeof(wire_walk_job) * WIRE_WALK_JOBS + kPageBytes - 1) / kPageBytes * kPageBytes;

}  // namespace

Result<PageWalker> PageWalker::over(int program, int jobs_map) {
  void* const at = ::mmap(nullptr, kJobsBytes, PROT_READ | PROT_WRITE, MAP_SHARED, jobs_map, 0);
  if (at == MAP_FAILED) return fail(errno_text("cannot map the walker's jobs", errno));
  return PageWalker(program, static_cast<wire_walk_job*>(at));
}

PageWalker::PageWalker(PageWalker&& other) noexcept
    : program_(std::exchange(other.program_, -1)), jobs_(std::exchange(other.jobs_, nullptr)) {}

PageWalker::~PageWalker() {
  if (jobs_ != nullptr) ::munmap(jobs_, kJobsBytes);
}

bool PageWalker::run(std::uint32_t jobs) const {
  wire_walk_request request{.jobs = jobs, .reserved = 0};
  return run_syscall_program(program_, request);
}

bool PageWalker::look(std::uint32_t pid, std::span<const std::uint64_t> chunk_addrs) {
  static_assert(kChunksAtOnce == WIRE_WALK_JOBS);
  constexpr std::uint64_t kChunk = WIRE_CHUNK_PAGES * kPageBytes;
  const std::size_t jobs = std::min(chunk_addrs.size(), kChunksAtOnce);
  for (std::size_t i = 0; i < jobs; ++i) {
    jobs_[i] = {.pid = pid,
                .gone = 1,
                .addr = chunk_addrs[i],
                .bytes = kChunk,
                .flags = WIRE_JOB_PAGES,
                .reserved = 0,
                .walk = {}};
  }
  return run(static_cast<std::uint32_t>(jobs));
}

std::optional<WalkTotals> PageWalker::sum(std::uint32_t pid, std::span<const AddressRange> ranges) {
  WalkTotals totals;
  std::vector<AddressRange> left(ranges.rbegin(), ranges.rend());
  while (!left.empty()) {
    const std::size_t jobs = std::min<std::size_t>(left.size(), WIRE_WALK_JOBS);
    std::vector<AddressRange> batch(left.end() - static_cast<std::ptrdiff_t>(jobs), left.end());
    left.resize(left.size() - jobs);
    for (std::size_t i = 0; i < jobs; ++i) {
      jobs_[i] = {.pid = pid,
                  .gone = 1,
                  .addr = batch[i].begin,
                  .bytes = batch[i].bytes(),
                  .flags = 0,
                  .reserved = 0,
                  .walk = {}};
    }
    if (!run(static_cast<std::uint32_t>(jobs))) return std::nullopt;
    for (std::size_t i = 0; i < jobs; ++i) {
      const wire_walk_job job = jobs_[i];
      if (job.gone != 0 || (job.walk.flags & WIRE_WALK_DONE) == 0) return std::nullopt;
      totals.resident_pages += job.walk.resident_pages;
      totals.clean_pages += job.walk.clean_pages;
      totals.huge_pages += job.walk.huge_pages;
      totals.swap_pages += job.walk.swap_pages;
      // Over the limit of one job: the rest is another one.
      const bool goes_on = (job.walk.flags & WIRE_WALK_CAPPED) != 0 && job.walk.walked_end > batch[i].begin;
      if (goes_on) left.push_back({job.walk.walked_end, batch[i].end});
    }
  }
  return totals;
}

}  // namespace madvtrace
