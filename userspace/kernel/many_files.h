// SPDX-License-Identifier: Apache-2.0
// File descriptors for what takes one for each process or thread that is traced.
#pragma once

namespace madvtrace {

// As many as may be had: many systems allow 1024 unless asked for more. Does what it can.
void allow_many_files();

}  // namespace madvtrace
