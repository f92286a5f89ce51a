// SPDX-License-Identifier: Apache-2.0
#include "golang/go_version.h"

#include <charconv>

namespace madvtrace {
namespace {

constexpr std::size_t kVersionTextLimitBytes = 256;
constexpr unsigned kNumberLimit = 9999;

std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > kNumberLimit) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::optional<GoVersion> GoVersion::parse(std::string_view text) {
  if (text.size() > kVersionTextLimitBytes) return std::nullopt;
  GoVersion version{.text = std::string(text)};
  constexpr std::string_view kDevelopment = "devel ";
  if (text.starts_with(kDevelopment)) text.remove_prefix(kDevelopment.size());
  constexpr std::string_view kGo1 = "go1.";
  if (!text.starts_with(kGo1)) return std::nullopt;
  text.remove_prefix(kGo1.size());
  const auto minor = take_number(text);
  if (!minor) return std::nullopt;
  version.minor = *minor;
  if (!text.starts_with('.')) return version;
  text.remove_prefix(1);
  const auto patch = take_number(text);
  if (!patch) return std::nullopt;
  version.patch = *patch;
  return version;
}

}  // namespace madvtrace
