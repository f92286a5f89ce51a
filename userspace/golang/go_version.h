// SPDX-License-Identifier: Apache-2.0
// The version of Go that a program was built with, as runtime.Version() has it:
// "go1.19.8", "go1.21rc2", "go1.17.13 X:boringcrypto", "devel go1.22-0123abcd Tue …".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace madvtrace {

struct GoVersion {
  unsigned minor = 0;  // of Go 1
  unsigned patch = 0;
  std::string text;

  // A release candidate counts as the release that it became, and a development version
  // as the release that it names: their layouts are mostly those of that release.
  bool at_least(unsigned wanted_minor, unsigned wanted_patch = 0) const {
    return minor > wanted_minor || (minor == wanted_minor && patch >= wanted_patch);
  }

  // Nothing for what names no version: "devel +0123abcd …", as development versions
  // before 1.17 called themselves, or anything that is not Go 1.
  static std::optional<GoVersion> parse(std::string_view text);
};

}  // namespace madvtrace
