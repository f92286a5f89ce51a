// SPDX-License-Identifier: Apache-2.0
#include "golang/expected_advice.h"

#include <algorithm>

namespace madvtrace {

std::optional<std::string_view> godebug_setting(std::string_view godebug, std::string_view name) {
  std::optional<std::string_view> value;
  while (!godebug.empty()) {
    const std::string_view setting = godebug.substr(0, godebug.find(','));
    godebug.remove_prefix(std::min(godebug.size(), setting.size() + 1));
    const std::size_t equals = setting.find('=');
    if (equals != std::string_view::npos && setting.substr(0, equals) == name) value = setting.substr(equals + 1);
  }
  return value;
}

ReleaseAdvice expected_advice(const GoVersion& version, std::string_view defaults, std::string_view environment) {
  constexpr std::string_view kSetting = "madvdontneed";
  if (!version.at_least(12)) return ReleaseAdvice::kDontneed;
  std::optional<std::string_view> value = godebug_setting(environment, kSetting);
  if (!value) value = godebug_setting(defaults, kSetting);
  const bool dontneed_by_default = version.at_least(16);
  // What is no number is passed over (parsedebugvars).
  if (value == "0") return ReleaseAdvice::kFree;
  if (value == "1") return ReleaseAdvice::kDontneed;
  return dontneed_by_default ? ReleaseAdvice::kDontneed : ReleaseAdvice::kFree;
}

}  // namespace madvtrace
