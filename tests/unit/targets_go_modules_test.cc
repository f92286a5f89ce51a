// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>

#include "targets/program/go_modules.h"
#include "tests/support/go_image.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

class GoModulesTest : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view bytes) {
    test::write_all(directory_ / name, bytes);
    return directory_ / name;
  }
  std::shared_ptr<const GoModule> get(const std::string& path, bool executable = true) {
    return modules_.get(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), executable, path);
  }

  test::TempDirectory directory_;
  GoModules modules_;
};

TEST_F(GoModulesTest, OneFileIsReadOnce) {
  const std::string path = write("server", GoImage{}.build());
  const auto module = get(path);
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(get(path), module);
  std::filesystem::create_hard_link(path, directory_ / "same");
  EXPECT_EQ(get(directory_ / "same"), module);
  const std::string other = write("other", GoImage{}.build());
  std::filesystem::last_write_time(other, std::filesystem::last_write_time(path));
  EXPECT_NE(get(other), module);
}

TEST_F(GoModulesTest, AFileThatChangesIsReadAgain) {
  const std::string path = write("server", GoImage{}.build());
  const auto module = get(path);
  test::write_all(path, GoImage{}.build() + "x");
  EXPECT_NE(get(path), module);
}

TEST_F(GoModulesTest, WhatIsNotGoIsNone) {
  EXPECT_EQ(get(write("text", "#!/bin/sh\n")), nullptr);
  EXPECT_EQ(get(write("empty", "")), nullptr);
  EXPECT_EQ(get(directory_ / "missing"), nullptr);
  EXPECT_EQ(get("/dev/zero"), nullptr);
}

TEST_F(GoModulesTest, ALibraryHasToSayThatItIsGo) {
  EXPECT_NE(get(write("plugin.so", GoImage{}.build()), /*executable=*/false), nullptr);
  EXPECT_EQ(get(write("libc.so", GoImage{.with_sections = false}.build()), /*executable=*/false), nullptr);
  EXPECT_NE(get(write("server", GoImage{.with_sections = false}.build()), /*executable=*/true), nullptr);
}

TEST_F(GoModulesTest, WhatWasUsedLongestAgoIsDropped) {
  const std::string first = write("first", GoImage{}.build());
  const std::string second = write("second", GoImage{}.build());
  const auto kept = get(first);
  const std::weak_ptr<const GoModule> dropped = get(second);
  for (std::size_t i = 0; i < GoModules::kFiles - 1; ++i) {
    EXPECT_EQ(get(first), kept);
    get(write("text" + std::to_string(i), "no program"));
  }
  EXPECT_TRUE(dropped.expired());
  EXPECT_EQ(get(first), kept);
}

TEST_F(GoModulesTest, FunctionsByOffsetInTheFile) {
  const auto module = get(write("server", GoImage{}.build()));
  ASSERT_NE(module, nullptr);
  std::uint64_t code_at = 0;
  for (const ElfSegment& segment : module->segments()) {
    if (segment.executable) code_at = segment.offset;
  }
  const auto function = module->at(code_at + GoImage::function_address(4) - GoImage::kText + 3);
  ASSERT_TRUE(function);
  EXPECT_EQ(function->name, "main.main");
  EXPECT_FALSE(module->at(0));
  EXPECT_FALSE(module->at(UINT64_MAX));
}

}  // namespace
}  // namespace madvtrace
