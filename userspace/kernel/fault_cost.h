// SPDX-License-Identifier: Apache-2.0
// What a page fault costs on this machine, by faults of our own.
#pragma once

#include <cstdint>
#include <optional>

namespace madvtrace {

// CPU time of the first touch of a page of anonymous memory, its share of the page's
// zeroing included: the median of a few rounds. A few milliseconds of work. Nothing if
// there is no memory for it.
std::optional<std::uint64_t> measure_fault_ns();

}  // namespace madvtrace
