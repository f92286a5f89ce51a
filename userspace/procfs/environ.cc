// SPDX-License-Identifier: Apache-2.0
#include "procfs/environ.h"

#include "procfs/text.h"

namespace madvtrace {

std::optional<std::string> Environment::find(std::string_view name) const {
  for (const auto& [variable, value] : variables) {
    if (variable == name) return value;
  }
  return std::nullopt;
}

Environment parse_environ(std::string_view text, bool truncated) {
  Environment environment{.variables = {}, .truncated = truncated};
  if (truncated) {
    const std::size_t last = text.rfind('\0');
    text = text.substr(0, last == std::string_view::npos ? 0 : last);
  }
  while (!text.empty()) {
    const std::string_view entry = take_until(text, '\0');
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    environment.variables.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

Result<Environment> read_environ(const ProcRoot& root, pid_t pid) {
  MADV_TAKE(const FileText file, root.read_prefix(pid, "environ", kEnvironLimitBytes));
  return parse_environ(file.text, file.truncated);
}

}  // namespace madvtrace
