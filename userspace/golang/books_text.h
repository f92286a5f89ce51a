// SPDX-License-Identifier: Apache-2.0
// The Go runtime's statistics as a program serves them itself, for programs whose memory
// tells nothing (the last rung of books.h). Parsing only; nothing is fetched here.
#pragma once

#include <optional>
#include <string_view>

#include "golang/books.h"

namespace madvtrace {

// The answer to /debug/pprof/heap?debug=1 (net/http/pprof): lines "# HeapReleased = N".
// Nothing if it has no such lines or they contradict each other.
std::optional<GoBooks> parse_pprof_heap(std::string_view text);

// The answer to /debug/vars (expvar): its "memstats" object.
std::optional<GoBooks> parse_expvar(std::string_view text);

}  // namespace madvtrace
