// SPDX-License-Identifier: Apache-2.0
// What a Go program's file says of its build: the version of Go and the settings.
//
// Since 1.13 the linker leaves a blob for `go version` (.go.buildinfo; src/debug/
// buildinfo/buildinfo.go), in two formats: pointers to Go strings until 1.17, the texts
// themselves since 1.18. What has none (older programs, and some newer ones, as their
// builders can drop the section) still has the variable runtime.buildVersion: found by
// its symbol, or, in a stripped file, by being the only string of the program's data
// whose text is exactly a version, and one that the table of functions (pclntab.h) fits.
// If there are two such texts, nobody can tell which it is, and the version is unknown: it
// is never guessed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/enum_names.h"
#include "golang/elf_image.h"
#include "golang/go_version.h"

namespace madvtrace {

enum class VersionSource { kNone, kBuildInfo, kSymbol, kString };
inline constexpr auto kVersionSourceNames = names_of<VersionSource::kString>({
    {VersionSource::kNone, "none"},
    {VersionSource::kBuildInfo, "buildinfo"},
    {VersionSource::kSymbol, "symbol"},
    {VersionSource::kString, "string"},
});

struct BuildInfo {
  static constexpr std::size_t kBuildIdLimitBytes = 256;                        // the linker's has 83
  static constexpr std::size_t kTextLimitBytes = std::size_t{4} * 1024 * 1024;  // of all module lines

  std::optional<GoVersion> version;
  VersionSource found_in = VersionSource::kNone;
  // What Go's linker calls the build (-buildid), as `go tool buildid` prints it: two programs
  // with the same are the same. Not the GNU build id. Empty: it has none, or not that short.
  std::string build_id;
  // From the blob alone, as `go version -m` prints them: ("-tags", "netgo"), ("CGO_ENABLED",
  // "0"), … Since 1.18.
  std::vector<std::pair<std::string, std::string>> settings;

  std::optional<std::string_view> setting(std::string_view key) const;
};

// Never fails: what cannot be found stays unknown.
BuildInfo read_build_info(const ElfImage& image);

}  // namespace madvtrace
