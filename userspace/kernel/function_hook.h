// SPDX-License-Identifier: Apache-2.0
// Whether this kernel lets a BPF program be run at the end of one of its functions
// (fexit). Tried, with a program that does nothing: that there is such a function does not
// say so. It may be inlined or renamed; a hardened kernel refuses all of them.
#pragma once

#include <string>

#include "base/result.h"
#include "kernel/kernel_types.h"

namespace madvtrace {

// Fine if it could be loaded and attached; it is detached again at once. kUnsupported, with
// the reason in one line, otherwise.
Status can_hook_exit(const KernelTypes& types, const std::string& kernel_function);

}  // namespace madvtrace
