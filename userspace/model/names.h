// SPDX-License-Identifier: Apache-2.0
// These functions give the names that the kernel has for numbers, and for programs. What a value of an enum is called
// stands beside the enum (base/enum_names.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/event.h"

namespace madvtrace {

// Gives "MADV_DONTNEED"; for an advice that this version does not know, the bare number.
std::string advice_name(std::int32_t advice);

// Gives a program's name up to its NUL, its bytes as they are. It points into `comm`.
std::string_view comm_text(const Comm& comm);

}  // namespace madvtrace
