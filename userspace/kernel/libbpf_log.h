// SPDX-License-Identifier: Apache-2.0
// libbpf's messages: to the log at debug level (-v), and kept while something is
// being tried, so that an error can quote the reason.
#pragma once

#include <string>

namespace madvtrace {

// From here on libbpf prints nothing by itself.
void capture_libbpf_log();

// The first warning since the previous call; empty if there was none.
std::string take_first_libbpf_warning();

}  // namespace madvtrace
