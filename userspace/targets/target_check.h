// SPDX-License-Identifier: Apache-2.0
// Whether a pid from the command line can be traced; if not, the one line that says
// why and what to do.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "procfs/proc_root.h"

namespace madvtrace {

Status check_target(const ProcRoot& proc, std::uint32_t pid);

}  // namespace madvtrace
