// SPDX-License-Identifier: Apache-2.0
// Any bytes as the text of every file of /proc that is parsed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "procfs/cgroup.h"
#include "procfs/environ.h"
#include "procfs/maps.h"
#include "procfs/stat.h"
#include "procfs/status.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const madvtrace::MapsText maps = madvtrace::parse_maps(text);
  for (const madvtrace::Mapping& mapping : maps.mappings) {
    if (mapping.range.empty()) __builtin_trap();
    static_cast<void>(madvtrace::is_anonymous_private(mapping));
  }
  static_cast<void>(madvtrace::parse_maps(text, 1));
  static_cast<void>(madvtrace::parse_status(text));
  if (const auto stat = madvtrace::parse_stat(text)) static_cast<void>(madvtrace::start_time_ns(*stat, 100));
  const auto groups = madvtrace::parse_cgroup(text);
  static_cast<void>(madvtrace::unified_path(groups));
  static_cast<void>(madvtrace::controller_path(groups, "memory"));
  for (const bool truncated : {false, true}) {
    static_cast<void>(madvtrace::parse_environ(text, truncated).find("GODEBUG"));
  }
  return 0;
}
