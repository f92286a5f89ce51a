// SPDX-License-Identifier: Apache-2.0
#include "kernel/fault_cost.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/clock.h"
#include "base/page_range.h"

namespace madvtrace {

std::optional<std::uint64_t> measure_fault_ns() {
  constexpr std::size_t kPages = 256;
  constexpr std::size_t kBytes = kPages * kPageBytes;
  void* const at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return std::nullopt;
  ::madvise(at, kBytes, MADV_NOHUGEPAGE);
  auto* const bytes = static_cast<volatile char*>(at);
  std::array<std::uint64_t, 9> rounds{};
  for (std::uint64_t& round : rounds) {
    const std::uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (std::size_t offset = 0; offset < kBytes; offset += kPageBytes) bytes[offset] = 1;
    round = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns) / kPages;
    ::madvise(at, kBytes, MADV_DONTNEED);
  }
  ::munmap(at, kBytes);
  std::nth_element(rounds.begin(), rounds.begin() + rounds.size() / 2, rounds.end());
  return rounds.at(rounds.size() / 2);
}

}  // namespace madvtrace
