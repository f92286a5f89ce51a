// SPDX-License-Identifier: Apache-2.0
// One live trace, from the command line to its exit code.
//
//   check -> load -> attach -> add targets -> ready -> [drain, tick]* -> stop
//         -> detach -> drain the rest -> last samples -> summary
//
// Stopping (a signal, -d, the last target's end, a full disk) is decided in the loop
// and never inside a drain, so that the tail is not lost.
#pragma once

#include "app/options.h"
#include "base/result.h"

namespace madvtrace {

Result<ExitCode> trace(const Options& options);

}  // namespace madvtrace
