// SPDX-License-Identifier: Apache-2.0
// These functions give the names that numbers have in the output, which are the kernel's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/rows.h"

namespace madvtrace {

std::string_view call_name(CallKind call);
std::string_view quality_name(Quality quality);
std::string_view fate_name(Fate fate);
std::string_view reclaimer_name(Reclaimer reclaimer);
std::string_view rss_cause_name(RssCause cause);

// Gives "MADV_DONTNEED"; for an advice that this version does not know, the bare number.
std::string advice_name(std::int32_t advice);

// Gives a program's name up to its NUL, its bytes as they are. It points into `comm`.
std::string_view comm_text(const Comm& comm);

}  // namespace madvtrace
