// SPDX-License-Identifier: Apache-2.0
// Streams as the kernel side writes them, byte for byte, for what reads records.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace madvtrace::bench {

// What the Go scavenger of a busy program makes up to Go 1.19: a release of 64 KiB by
// MADV_DONTNEED, a MADV_NOHUGEPAGE of the huge page that it is in. A few stacks, all
// known by name; `threads` make the calls in turn.
std::vector<std::string> churn(std::uint64_t calls, std::uint32_t threads = 4);

}  // namespace madvtrace::bench
