// SPDX-License-Identifier: Apache-2.0
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>

#include <cstdarg>
#include <cstdio>
#include <utility>

namespace madvtrace {
namespace {

// libbpf's print function carries no context of ours.
std::string first_warning;  // NOLINT(cert-err58-cpp)

int keep(libbpf_print_level level, const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  // A verifier log comes as one message, and its end matters most.
  std::string line(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
  std::vsnprintf(line.data(), line.size() + 1, format, arguments);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  // The first one names the program or map; what follows repeats it from farther away.
  if (level == LIBBPF_WARN && first_warning.empty()) first_warning = line;
  spdlog::debug("{}", line);
  return 0;
}

}  // namespace

void capture_libbpf_log() { libbpf_set_print(keep); }

std::string take_first_libbpf_warning() { return std::exchange(first_warning, {}); }

}  // namespace madvtrace
