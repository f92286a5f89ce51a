// SPDX-License-Identifier: Apache-2.0
// The names that numbers have in the output: the kernel's own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bpf/calls.h"
#include "model/rows.h"

namespace madvtrace {

std::string_view call_name(CallKind call);
std::string_view quality_name(Quality quality);
std::string_view fate_name(Fate fate);
std::string_view reclaimer_name(Reclaimer reclaimer);
std::string_view rss_cause_name(RssCause cause);
CallKind call_kind(Syscall syscall);

// "MADV_DONTNEED"; the bare number for an advice that this version does not know.
std::string advice_name(std::int32_t advice);

// A program's name up to its NUL, its bytes as they are. Points into `comm`.
std::string_view comm_text(const Comm& comm);

// Whether a system call's answer is an error number (include/linux/err.h, IS_ERR_VALUE).
bool is_errno(std::int64_t ret);

// MADV_DONTNEED or MADV_FREE: what Go's runtime gives memory of its heap back with.
bool gives_back(std::optional<std::int32_t> advice);

// After these the same address can be touched again, and the page comes back.
bool can_come_back(std::optional<std::int32_t> advice);

// The values that the model itself looks at.
inline constexpr std::int32_t kMadvDontneed = ADVICE_DONTNEED;
inline constexpr std::int32_t kMadvFree = ADVICE_FREE;
inline constexpr std::int32_t kMadvRemove = ADVICE_REMOVE;
inline constexpr std::int32_t kMadvPageout = ADVICE_PAGEOUT;
inline constexpr std::int32_t kMadvPopulateWrite = ADVICE_POPULATE_WRITE;
inline constexpr std::int32_t kMadvDontneedLocked = ADVICE_DONTNEED_LOCKED;
inline constexpr std::int32_t kMadvGuardInstall = ADVICE_GUARD_INSTALL;

}  // namespace madvtrace
