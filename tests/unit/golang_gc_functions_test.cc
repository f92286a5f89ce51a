// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "golang/gc_functions.h"
#include "tests/support/elf_builder.h"
#include "tests/support/go_image.h"

namespace madvtrace {
namespace {

std::optional<GcFunctions> gc_functions_of(UniqueFd file) {
  const auto image = ElfImage::open(std::move(file), "file");
  if (!image) return std::nullopt;
  const auto table = Pclntab::read(*image);
  if (!table) return std::nullopt;
  return find_gc_functions(*image, *table);
}

std::optional<GcFunctions> gc_functions_of(const GoImage& image) {
  return gc_functions_of(anonymous_file(image.build()));
}

TEST(GcFunctions, AreOffsetsInTheFile) {
  for (const bool pie : {false, true}) {
    const GoImage go{.position_independent = pie};
    const auto found = gc_functions_of(go);
    ASSERT_TRUE(found);
    const auto image = ElfImage::open(anonymous_file(go.build()), "file");
    ASSERT_TRUE(image);
    const ElfSegment* code = nullptr;
    for (const ElfSegment& segment : image->segments()) {
      if (segment.executable) code = &segment;
    }
    ASSERT_NE(code, nullptr);
    constexpr std::size_t kStartCycle = 6;
    EXPECT_EQ(found->start_offset - code->offset, GoImage::function_address(kStartCycle) - code->addresses.begin);
    EXPECT_EQ(found->end_offset - found->start_offset, GoImage::kFunctionBytes);
  }
}

TEST(GcFunctions, TheTriggerIsAnArgumentSince119) {
  const auto has_trigger = [](PclntabLayout layout, const std::string& version) {
    const auto found = gc_functions_of({.layout = layout, .version = version});
    return found && found->has_trigger;
  };
  EXPECT_FALSE(has_trigger(PclntabLayout::kGo12, "go1.15.5"));
  EXPECT_FALSE(has_trigger(PclntabLayout::kGo116, "go1.17.2"));
  EXPECT_FALSE(has_trigger(PclntabLayout::kGo118, "go1.18.3"));
  EXPECT_TRUE(has_trigger(PclntabLayout::kGo118, "go1.19.8"));
  EXPECT_TRUE(has_trigger(PclntabLayout::kGo120, "go1.26.5"));
  // A layout that both have, and no version to be found.
  EXPECT_FALSE(has_trigger(PclntabLayout::kGo118, "unknown"));
}

TEST(GcFunctions, AnotherMachineIsNotKnown) { EXPECT_FALSE(gc_functions_of({.aarch64 = true})); }

class GcFunctionsOfPrograms : public testing::TestWithParam<std::string> {};

TEST_P(GcFunctionsOfPrograms, AreFound) {
  const std::string path = std::string(TARGETS_DIR) + "/" + GetParam();
  const auto found = gc_functions_of(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->has_trigger);
}

INSTANTIATE_TEST_SUITE_P(Programs, GcFunctionsOfPrograms,
                         testing::Values("go_plain", "go_stripped", "go_pie", "go_cgo", "go_cgo_pie"),
                         [](const auto& program) { return program.param; });

}  // namespace
}  // namespace madvtrace
