// SPDX-License-Identifier: Apache-2.0
// madvtrace replay: the outputs of a trace again, from its recording.
#pragma once

#include "app/options.h"
#include "base/result.h"

namespace madvtrace {

Result<ExitCode> replay(const Options& options);

}  // namespace madvtrace
