// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procfs/maps.h"

namespace madvtrace {
namespace {

// 6.18: a process whose binary was deleted, with a mapping of every kind.
constexpr std::string_view kMaps =
    "55916cd33000-55916cd34000 r--p 00000000 fe:00 10952821                   /tmp/cap bin (deleted)\n"
    "55916cd34000-55916cd35000 r-xp 00001000 fe:00 10952821                   /tmp/cap bin (deleted)\n"
    "55916cd37000-55916cd38000 rw-p 00003000 fe:00 10952821                   /tmp/cap bin (deleted)\n"
    "55919dc4a000-55919dc6b000 rw-p 00000000 00:00 0                          [heap]\n"
    "7fb1e5ba6000-7fb1e5bb6000 rw-s 00000000 00:01 1042                       /dev/zero (deleted)\n"
    "7fb1e5bb6000-7fb1e5bc9000 rw-p 00000000 00:00 0 \n"
    "7fb1e5d9c000-7fb1e5d9e000 rw-p 001d3000 fe:00 332835                     /usr/lib/x86_64-linux-gnu/libc.so.6\n"
    "7fb1e5db0000-7fb1e5db1000 rw-s 00000000 00:01 1041                       /memfd:mem fd (deleted)\n"
    "7fb1e5db1000-7fb1e5db2000 rw-p 00000000 00:06 4                          /dev/zero\n"
    "7fb1e5db3000-7fb1e5db5000 rw-s 00000000 fe:00 10952817                   /tmp/gone file (deleted)\n"
    "7fb1e5db5000-7fb1e5db6000 r--p 00001000 fe:00 10952801                   /tmp/a b\\012c\\d.so\n"
    "7fb1e5db8000-7fb1e5dbc000 r--p 00000000 00:00 0                          [vvar]\n"
    "7fb1e5dbc000-7fb1e5dbe000 r--p 00000000 00:00 0                          [vvar_vclock]\n"
    "7fb1e5dbe000-7fb1e5dc0000 r-xp 00000000 00:00 0                          [vdso]\n"
    "7ffe6029b000-7ffe602bc000 rw-p 00000000 00:00 0                          [stack]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

Mapping named(std::string_view path, std::string_view perms = "rw-p", std::uint64_t inode = 0) {
  Mapping mapping;
  mapping.range = {0x1000, 0x2000};
  mapping.perms = {perms[0], perms[1], perms[2], perms[3]};
  mapping.inode = inode;
  mapping.path = path;
  return mapping;
}

TEST(ProcMaps, ReadsALineWhole) {
  const auto mapping = parse_mapping("7fb1e5d9c000-7fb1e5d9e000 rw-p 001d3000 fe:1f 332835             /usr/lib/c.so");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->range, (AddressRange{0x7fb1e5d9c000, 0x7fb1e5d9e000}));
  EXPECT_EQ(mapping->perms, (std::array{'r', 'w', '-', 'p'}));
  EXPECT_EQ(mapping->offset_bytes, 0x1d3000U);
  EXPECT_EQ(mapping->dev_major, 0xfeU);
  EXPECT_EQ(mapping->dev_minor, 0x1fU);
  EXPECT_EQ(mapping->inode, 332835U);
  EXPECT_EQ(mapping->path, "/usr/lib/c.so");
  EXPECT_FALSE(mapping->deleted);
}

TEST(ProcMaps, ReadsEveryKindOfMapping) {
  const MapsText maps = parse_maps(kMaps);
  ASSERT_EQ(maps.mappings.size(), 16U);
  EXPECT_EQ(maps.lines_bad, 0U);
  EXPECT_EQ(maps.lines_over, 0U);
  EXPECT_EQ(maps.mappings[0].path, "/tmp/cap bin");
  EXPECT_TRUE(maps.mappings[0].deleted);
  EXPECT_EQ(maps.mappings[5].path, "");
  EXPECT_FALSE(maps.mappings[5].deleted);
  EXPECT_EQ(maps.mappings[10].path, "/tmp/a b\nc\\d.so");
  EXPECT_EQ(maps.mappings[15].range.begin, 0xffff'ffff'ff60'0000U);
}

TEST(ProcMaps, AnonymousPrivateIsWhatProgramsRelease) {
  std::vector<std::string> found;
  for (const Mapping& mapping : parse_maps(kMaps).mappings) {
    if (is_anonymous_private(mapping)) found.push_back(mapping.path);
  }
  EXPECT_EQ(found, (std::vector<std::string>{"[heap]", "", "[stack]"}));
}

TEST(ProcMaps, NamedAnonymousMemoryCounts) {
  EXPECT_TRUE(is_anonymous_private(named("[anon: Go: heap]")));
  EXPECT_TRUE(is_anonymous_private(named("[anon:glibc: malloc]")));
  EXPECT_TRUE(is_anonymous_private(named("[stack:4711]")));
  EXPECT_TRUE(is_anonymous_private(named("", "---p")));
}

TEST(ProcMaps, SharedFilesAndTheKernelsOwnDoNotCount) {
  EXPECT_FALSE(is_anonymous_private(named("[anon_shmem:x]", "rw-s", 1042)));
  EXPECT_FALSE(is_anonymous_private(named("[anon_shmem:x]")));
  EXPECT_FALSE(is_anonymous_private(named("", "rw-s")));
  EXPECT_FALSE(is_anonymous_private(named("[heap]", "rw-s")));
  EXPECT_FALSE(is_anonymous_private(named("", "rw-p", 7)));
  EXPECT_FALSE(is_anonymous_private(named("/dev/zero", "rw-p", 4)));
  for (const std::string_view path : {"[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]", "[uprobes]", "/x"}) {
    EXPECT_FALSE(is_anonymous_private(named(path))) << path;
  }
}

TEST(ProcMaps, BlanksInNamesStay) {
  const auto mapping = parse_mapping("1000-2000 rw-p 00000000 fe:00 7                          /a  b ");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->path, "/a  b ");
  const auto newlines = parse_mapping("1000-2000 rw-p 00000000 fe:00 7 /\\012\\012x\\01");
  ASSERT_TRUE(newlines);
  EXPECT_EQ(newlines->path, "/\n\nx\\01");
}

TEST(ProcMaps, BadLinesAreCountedAndPassedOver) {
  const std::array<std::string_view, 17> bad{
      "",
      "garbage",
      "1000-2000",
      "1000-2000 rw-p",
      "1000-2000 rw-p 00000000",
      "1000-2000 rw-p 00000000 00:00",
      "1000-2000 rw-p 00000000 00:00 ",
      "2000-1000 rw-p 00000000 00:00 0",
      "1000-1000 rw-p 00000000 00:00 0",
      "1000-10000000000000000 rw-p 00000000 00:00 0",
      "-1000-2000 rw-p 00000000 00:00 0",
      "1000-2000 rwzp 00000000 00:00 0",
      "1000-2000 rw-x 00000000 00:00 0",
      "1000-2000 rw-pp 00000000 00:00 0",
      "1000-2000 rw-p 10000000000000000 00:00 0",
      "1000-2000 rw-p 00000000 100000000:00 0",
      "1000-2000 rw-p 00000000 00:00 18446744073709551616",
  };
  std::string text;
  for (const std::string_view line : bad) {
    EXPECT_FALSE(parse_mapping(line)) << line;
    text += line;
    text += '\n';
  }
  const MapsText maps = parse_maps(text + "1000-2000 rw-p 00000000 00:00 0");
  EXPECT_EQ(maps.lines_bad, bad.size());
  ASSERT_EQ(maps.mappings.size(), 1U);
  EXPECT_EQ(maps.mappings[0].range, (AddressRange{0x1000, 0x2000}));
}

TEST(ProcMaps, StopsAtTheLimitAndSaysSo) {
  EXPECT_EQ(parse_maps(kMaps, 16).lines_over, 0U);
  const MapsText maps = parse_maps(kMaps, 3);
  EXPECT_EQ(maps.mappings.size(), 3U);
  EXPECT_EQ(maps.lines_over, 13U);
  EXPECT_EQ(parse_maps(kMaps.substr(0, kMaps.size() - 1), 3).lines_over, 13U);
}

TEST(ProcMaps, SurvivesEveryTruncation) {
  for (std::size_t length = 0; length < kMaps.size(); ++length) {
    const std::vector<char> cut(kMaps.begin(), kMaps.begin() + static_cast<std::ptrdiff_t>(length));
    const MapsText maps = parse_maps(std::string_view(cut.data(), cut.size()));
    std::size_t lines = 0;
    for (const char character : cut) lines += character == '\n' ? 1U : 0U;
    // At most the last line is wrong, and no line gets lost without being counted.
    EXPECT_GE(maps.mappings.size(), lines) << length;
    EXPECT_LE(maps.mappings.size() + maps.lines_bad, lines + 1) << length;
  }
}

TEST(ProcMaps, SurvivesGarbage) {
  EXPECT_TRUE(parse_maps("").mappings.empty());
  EXPECT_EQ(parse_maps(std::string(10'000'000, '\0')).lines_bad, 1U);
  EXPECT_EQ(parse_maps(std::string(10'000'000, '\n')).lines_bad, 10'000'000U);
  EXPECT_EQ(parse_maps(std::string(10'000'000, '-')).lines_bad, 1U);
  const MapsText long_name = parse_maps("1000-2000 rw-p 00000000 00:00 1 /" + std::string(10'000'000, '\\'));
  ASSERT_EQ(long_name.mappings.size(), 1U);
  EXPECT_EQ(long_name.mappings[0].path.size(), 10'000'001U);
}

}  // namespace
}  // namespace madvtrace
