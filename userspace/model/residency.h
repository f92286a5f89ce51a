// SPDX-License-Identifier: Apache-2.0
// These functions say what a call did to residency, from what the page tables held before
// it, its arguments, its answer and (where that was needed) what they held after it.
//
// The rules are the kernel's (mm/madvise.c, mm/mmap.c, mm/mremap.c):
//  - a successful MADV_DONTNEED, munmap or replacing mmap leaves nothing resident;
//  - a successful MADV_FREE leaves everything resident;
//  - an error can come after part of the work: madvise over a hole answers ENOMEM
//    when the mapped parts are done, EINVAL when an earlier mapping is done. Only a
//    second look tells.
#pragma once

#include <cstdint>
#include <optional>

#include "bpf/calls.h"
#include "model/event.h"
#include "model/rows.h"

namespace madvtrace {

struct Residency {
  std::optional<std::uint64_t> resident_bytes;  // before
  std::optional<std::uint64_t> lazyfree_bytes;  // before
  std::optional<std::uint64_t> swap_bytes;      // before
  std::optional<std::int64_t> rss_delta_bytes;  // what the call did
  std::optional<Quality> quality;               // empty: nothing here is known
};

// Sums the walks of a call's ranges; what one of them does not know, the sum does not.
Walk operator+(const Walk& left, const Walk& right);

// Says whether a system call's answer is an error number (include/linux/err.h, IS_ERR_VALUE).
inline bool is_errno(std::int64_t ret) { return answer_is_errno(ret); }

bool call_failed(const CallFields& call, std::int64_t ret);

// Gives the advice of a madvise or process_madvise; of other calls, nothing.
std::optional<std::int32_t> advice_of(const CallFields& call);

// What became of the pages that were resident when a release began.
enum class Effect {
  kNone,         // they stay as they were
  kTaken,        // all of them left RSS inside the call
  kPartlyTaken,  // some did, and which ones is not known
  kLazilyFreed,  // they stay until the kernel takes them
};
Effect effect_of_release(const CallFields& call, std::int64_t ret, const Walk& before, const Walk& after);

// This is for a release that has returned. `overlapped`: another release of the same pages was
// under way at the same time, so that each saw pages that the other took.
Residency residency_of_release(const CallFields& call, std::int64_t ret, const Walk& before, const Walk& after,
                               bool overlapped);

// This is for a call that takes nothing away; `after` is set where it may have filled pages.
Residency residency_of_plain(const CallFields& call, std::int64_t ret, const Walk& after);

// This is for a release whose end was never seen.
Residency residency_of_unfinished(const Walk& before);

}  // namespace madvtrace
