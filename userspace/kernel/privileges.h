// SPDX-License-Identifier: Apache-2.0
// What this process is allowed to do, looked at before anything is tried, so that
// an error can name what is missing.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace madvtrace {

// Capabilities that a trace needs and this process does not have.
std::vector<std::string> missing_capabilities();

// kUnsupported, with what to do, if any is missing, the kernel has no BTF or is locked
// down for confidentiality, or this is not the initial pid namespace (the kernel side
// speaks of pids in that one).
Status check_privileges();

}  // namespace madvtrace
