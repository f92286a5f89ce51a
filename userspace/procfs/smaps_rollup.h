// SPDX-License-Identifier: Apache-2.0
// /proc/PID/smaps_rollup: the totals of smaps, since 4.14.
//
// Reading it walks every page of the target and holds its mmap_lock meanwhile (some
// 9 ms a GiB, measured on 6.18): its mmap and munmap wait, and whatever queues up
// behind them. Read it once, at attach, where nothing better works, and in tests:
// never on a tick.
//
// LazyFree counts lazily freed pages that are still in RSS and were not written again.
// It may lag by what the CPUs' batches hold (some 20 pages).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "procfs/proc_root.h"

namespace madvtrace {

// Empty: the kernel does not print it.
struct SmapsRollup {
  std::uint64_t rss_bytes = 0;
  std::optional<std::uint64_t> anonymous_bytes;
  std::optional<std::uint64_t> lazyfree_bytes;
  std::optional<std::uint64_t> swap_bytes;
  std::optional<std::uint64_t> anon_huge_bytes;
};

// Nothing without a whole Rss line.
std::optional<SmapsRollup> parse_smaps_rollup(std::string_view text);

// kAbsent for kernel threads and zombies.
ProcResult<SmapsRollup> read_smaps_rollup(const ProcRoot& root, pid_t pid);

}  // namespace madvtrace
