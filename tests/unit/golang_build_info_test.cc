// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "golang/build_info.h"
#include "tests/support/elf_builder.h"
#include "tests/support/go_image.h"

namespace madvtrace {
namespace {

BuildInfo read_bytes(const std::string& bytes) {
  return read_build_info(*ElfImage::open(anonymous_file(bytes), "file"));
}

std::string version_of(const BuildInfo& info) { return info.version ? info.version->text : "unknown"; }

TEST(BuildInfo, ReadsBothFormats) {
  for (const BuildInfoFormat format : {BuildInfoFormat::kPointers, BuildInfoFormat::kInline}) {
    for (const bool pie : {false, true}) {
      for (const bool sections : {false, true}) {
        const BuildInfo info =
            read_bytes(GoImage{.position_independent = pie, .with_sections = sections, .build_info = format}.build());
        EXPECT_EQ(version_of(info), "go1.19.8");
        EXPECT_EQ(info.found_in, VersionSource::kBuildInfo);
        EXPECT_EQ(info.settings.size(), 2U);
        EXPECT_EQ(info.setting("-tags"), "netgo,osusergo");
        EXPECT_EQ(info.setting("CGO_ENABLED"), "0");
        EXPECT_FALSE(info.setting("GOARCH"));
      }
    }
  }
}

TEST(BuildInfo, WithoutABlobTheSymbolLeads) {
  for (const bool pie : {false, true}) {
    const BuildInfo info = read_bytes(
        GoImage{.position_independent = pie, .build_info = BuildInfoFormat::kNone, .strings = {"go1.18"}}.build());
    EXPECT_EQ(version_of(info), "go1.19.8");
    EXPECT_EQ(info.found_in, VersionSource::kSymbol);
  }
}

TEST(BuildInfo, StrippedTheOnlyStringThatIsAVersion) {
  for (const bool pie : {false, true}) {
    for (const bool sections : {false, true}) {
      const BuildInfo info = read_bytes(GoImage{
          .position_independent = pie,
          .with_sections = sections,
          .with_symbols = false,
          .build_info = BuildInfoFormat::kNone,
          .strings = {"go1.18 and later", "go1.x", "go1.18.", "go1.", "go1.19.8.1",
                      "go1.99999"}}.build());
      EXPECT_EQ(version_of(info), "go1.19.8");
      EXPECT_EQ(info.found_in, VersionSource::kString);
    }
  }
}

TEST(BuildInfo, IsNeverGuessed) {
  GoImage image{.with_symbols = false, .build_info = BuildInfoFormat::kNone};
  image.strings = {"go1.19.8"};
  EXPECT_EQ(version_of(read_bytes(image.build())), "go1.19.8") << "twice the same is one answer";
  image.strings = {"go1.18"};
  EXPECT_EQ(version_of(read_bytes(image.build())), "unknown") << "two answers";
  image.strings = {};
  for (const auto& [version, layout] : {std::pair{"go1.15.5", PclntabLayout::kGo116},
                                        {"go1.16", PclntabLayout::kGo12},
                                        {"go1.18.1", PclntabLayout::kGo116},
                                        {"go1.17", PclntabLayout::kGo118},
                                        {"go1.20", PclntabLayout::kGo118},
                                        {"go1.19.8", PclntabLayout::kGo120}}) {
    image.version = version;
    image.layout = layout;
    const BuildInfo info = read_bytes(image.build());
    EXPECT_EQ(version_of(info), "unknown") << version << ": its functions are those of another version";
    EXPECT_EQ(info.found_in, VersionSource::kNone);
  }
  for (const auto& [version, layout] : {std::pair{"go1.12.9", PclntabLayout::kGo12},
                                        {"go1.17.2", PclntabLayout::kGo116},
                                        {"go1.18", PclntabLayout::kGo118},
                                        {"go1.21rc2", PclntabLayout::kGo120}}) {
    image.version = version;
    image.layout = layout;
    EXPECT_EQ(version_of(read_bytes(image.build())), version);
  }
}

TEST(BuildInfo, ProgramsThatAreNotGosHaveNone) {
  ElfBuilder elf;
  elf.segment(0x400000, PF_R, "go1.19.8 ");
  elf.segment(0x500000, PF_R | PF_W, ByteWriter().add<std::uint64_t>(0x400000).add<std::uint64_t>(8).bytes());
  EXPECT_EQ(version_of(read_bytes(elf.build())), "unknown");
}

TEST(BuildInfo, ADevelopmentVersionIsNotReplacedByAGuess) {
  const BuildInfo info = read_bytes(GoImage{.version = "devel +0123abcd", .strings = {"go1.19.8"}}.build());
  EXPECT_EQ(version_of(info), "unknown");
  EXPECT_EQ(info.found_in, VersionSource::kNone);
}

TEST(BuildInfo, ABlobWithoutModules) {
  // Its lines, with their marks, are spoilt: one byte less than they say.
  std::string bytes = GoImage{.with_sections = false}.build();
  const std::size_t at = bytes.rfind("build\tCGO_ENABLED=0\n");
  bytes[at + 19] = ' ';
  const BuildInfo info = read_bytes(bytes);
  EXPECT_EQ(version_of(info), "go1.19.8");
  EXPECT_TRUE(info.settings.empty());
}

TEST(BuildInfo, LengthsMayBeAnything) {
  const std::string good = GoImage{.with_symbols = false}.build();
  const std::size_t at = good.find("\xff Go buildinf:") + 32;
  for (const std::uint64_t length : {std::uint64_t{0xff}, std::uint64_t{0x8080808080808080}, UINT64_MAX,
                                     std::uint64_t{0x7fffffffffffffff}, std::uint64_t{0}}) {
    std::string bytes = good;
    put(bytes, at, length);
    EXPECT_NE(read_bytes(bytes).found_in, VersionSource::kBuildInfo) << length;
  }
}

TEST(BuildInfo, SurvivesEveryTruncationAndEveryWrongByte) {
  for (const BuildInfoFormat format : {BuildInfoFormat::kNone, BuildInfoFormat::kPointers, BuildInfoFormat::kInline}) {
    const std::string bytes = GoImage{.position_independent = true, .build_info = format}.build();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      if (const auto image = ElfImage::open(anonymous_file(bytes.substr(0, at)), "file")) {
        static_cast<void>(read_build_info(*image));
      }
      std::string spoilt = bytes;
      spoilt[at] = '\xff';
      if (const auto image = ElfImage::open(anonymous_file(spoilt), "file")) static_cast<void>(read_build_info(*image));
    }
  }
}

TEST(BuildInfo, SourcesHaveNames) {
  EXPECT_EQ(kVersionSourceNames[VersionSource::kNone], "none");
  EXPECT_EQ(kVersionSourceNames[VersionSource::kString], "string");
}

}  // namespace
}  // namespace madvtrace
