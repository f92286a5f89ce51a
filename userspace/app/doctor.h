// SPDX-License-Identifier: Apache-2.0
// madvtrace doctor: what this kernel and these privileges allow, tier by tier, found
// out by trying. kUnsupported if the base tier cannot be had.
#pragma once

#include "app/options.h"
#include "base/result.h"

namespace madvtrace {

Result<ExitCode> doctor(const Options& options);

}  // namespace madvtrace
