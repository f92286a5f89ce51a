// SPDX-License-Identifier: Apache-2.0
// The advice with which a Go runtime gives memory of its heap back, by its version and
// GODEBUG=madvdontneed (runtime/mem_linux.go, sysUnused; runtime/runtime1.go):
//
//   up to 1.11    MADV_DONTNEED; there is no such setting
//   1.12 - 1.15   MADV_FREE; madvdontneed=1: MADV_DONTNEED
//   since 1.16    MADV_DONTNEED; madvdontneed=0: MADV_FREE
//
// A kernel before 4.5 knows no MADV_FREE; the runtime then falls back by itself. What
// os.Setenv changes later has no effect on this setting. Measured: 1.12.9 and 1.15.5
// MADV_FREE, 1.16.3 to 1.26.5 MADV_DONTNEED.
#pragma once

#include <optional>
#include <string_view>

#include "golang/go_version.h"

namespace madvtrace {

enum class ReleaseAdvice { kDontneed, kFree };

// `defaults`: what was compiled in (DefaultGODEBUG of the build settings, 1.21+);
// `environment`: GODEBUG of the environment, which wins.
ReleaseAdvice expected_advice(const GoVersion& version, std::string_view defaults, std::string_view environment);

// The value of a setting in a GODEBUG text, "a=1,b=2"; of one that comes twice the last.
std::optional<std::string_view> godebug_setting(std::string_view godebug, std::string_view name);

}  // namespace madvtrace
