// SPDX-License-Identifier: Apache-2.0
// Here is gathered what the stream is told of a process, from /proc alone.
#pragma once

#include <cstdint>
#include <string>

#include "model/event.h"
#include "procfs/proc_root.h"
#include "procfs/stat.h"

namespace madvtrace {

// Tells when the process started, what it runs and where it lives.
ProcessInfo describe_process(const ProcRoot& proc, const ProcessStat& stat);

// Tells the little that there is to say of a process that is not followed: its start and
// its file, or only `comm` if it is gone already.
LeftOut describe_left_out(const ProcRoot& proc, std::uint32_t pid, const std::string& comm);

}  // namespace madvtrace
