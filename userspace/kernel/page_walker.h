// SPDX-License-Identifier: Apache-2.0
// The page walk on demand: what ranges of traced processes hold right now, without
// their mmap_lock and without stopping them. About 1.2 ms/GiB of populated memory.
//
// A walk of a process that exits or execs meanwhile says so (gone) and gives no
// numbers. Ranges over 8 GiB of populated page tables come back capped.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/page_range.h"
#include "base/result.h"

struct wire_walk_job;

namespace madvtrace {

struct WalkTotals {
  std::uint64_t resident_pages = 0;
  std::uint64_t clean_pages = 0;  // in anonymous memory: lazily freed
  std::uint64_t huge_pages = 0;
  std::uint64_t swap_pages = 0;
};

class PageWalker {
 public:
  // `program` is run_walk_jobs, `jobs_map` its array of jobs.
  static Result<PageWalker> over(int program, int jobs_map);
  PageWalker(PageWalker&& other) noexcept;
  PageWalker& operator=(PageWalker&&) = delete;
  ~PageWalker();

  // Has the kernel side write which pages of these chunks (2 MiB each, at most
  // kChunksAtOnce) are resident into the ring. False: it cannot.
  static constexpr std::size_t kChunksAtOnce = 512;
  bool look(std::uint32_t pid, std::span<const std::uint64_t> chunk_addrs);

  // The sum over the ranges; nothing if the process is gone or a walk failed.
  std::optional<WalkTotals> sum(std::uint32_t pid, std::span<const AddressRange> ranges);

 private:
  PageWalker(int program, wire_walk_job* jobs) : program_(program), jobs_(jobs) {}
  bool run(std::uint32_t jobs) const;

  int program_ = -1;
  wire_walk_job* jobs_ = nullptr;  // shared with the kernel side
};

}  // namespace madvtrace
