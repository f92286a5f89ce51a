// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>

#include "stream/decoder.h"
#include "targets/stack_symbols.h"
#include "tests/support/go_image.h"
#include "tests/support/stream_builder.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kCodeAt = 0x7000'0000'0000;
constexpr std::uint64_t kLibraryAt = 0x7100'0000'0000;
constexpr std::uint64_t kGeneratedAt = 0x7200'0000'0000;
constexpr std::uint64_t kMapped = 0x1000;
// No process of the machine has such pids: nothing but this tree knows them.
constexpr std::uint32_t kPid = 4'194'400;
constexpr std::uint32_t kOther = 4'194'401;

std::uint64_t code_offset(const std::string& path) {
  const auto image = ElfImage::open(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path);
  if (!image) return 0;
  for (const ElfSegment& segment : image->segments()) {
    if (segment.executable) return segment.offset;
  }
  return 0;
}

// A return address in one of the functions of GoImage.
std::uint64_t in_function(std::size_t number, std::uint64_t mapped_at = kCodeAt) {
  return mapped_at + GoImage::function_address(number) - GoImage::kText + 2;
}

class StackSymbolsTest : public testing::Test {
 protected:
  StackSymbolsTest() {
    test::write_all(directory_ / "server", GoImage{}.build());
    auto root = ProcRoot::open(directory_.path());
    if (!root) throw std::runtime_error(root.error().message);
    root_.emplace(std::move(*root));
    targets_.emplace(*root_, nullptr, nullptr);
    symbols_.emplace(*targets_);
  }

  // A process that runs the Go program, has it mapped once more as a library, and code
  // that it has made itself.
  void add_process(std::uint32_t pid) {
    const std::string exe = directory_ / "server";
    const std::string folder = directory_ / std::to_string(pid);
    std::filesystem::create_directories(folder + "/map_files");
    std::filesystem::create_symlink(exe, folder + "/exe");
    test::write_all(folder + "/plugin.so", GoImage{}.build());
    std::filesystem::create_symlink(folder + "/plugin.so",
                                    fmt::format("{}/map_files/{:x}-{:x}", folder, kLibraryAt, kLibraryAt + kMapped));
    const auto line = [&](std::uint64_t at, std::uint64_t offset, std::uint64_t inode, const std::string& path) {
      return fmt::format("{:x}-{:x} r-xp {:08x} 08:01 {} {}\n", at, at + kMapped, offset, inode, path);
    };
    const auto inode_of = [](const std::string& path) {
      struct stat status {};
      ::stat(path.c_str(), &status);
      return static_cast<std::uint64_t>(status.st_ino);
    };
    test::write_all(folder + "/maps",
                    line(kCodeAt, code_offset(exe), inode_of(exe), exe) +
                        line(kLibraryAt, code_offset(exe), inode_of(folder + "/plugin.so"), "/plugin.so") +
                        line(kGeneratedAt, 0, 0, ""));
  }
  void remove_process(std::uint32_t pid) { std::filesystem::remove_all(directory_ / std::to_string(pid)); }

  test::StreamBuilder stream() {
    test::StreamBuilder builder;
    builder.on(kPid, kPid);
    return builder;
  }
  void feed(const test::StreamBuilder& records) {
    Decoder decoder({&*targets_, &*symbols_});
    for (const std::string& record : records.records()) decoder.on_record(test::view(record));
  }
  std::vector<Frames> answers() {
    constexpr std::uint64_t kLongNs = 10'000'000'000;
    symbols_->work(kLongNs);
    return symbols_->take_ready();
  }

  test::TempDirectory directory_;
  std::optional<ProcRoot> root_;
  std::optional<Targets> targets_;
  std::optional<StackSymbols> symbols_;
};

TEST_F(StackSymbolsTest, GoFunctionsAreNamedByGosTable) {
  add_process(kPid);
  feed(stream().stack(7, {in_function(1), in_function(4), in_function(1, kLibraryAt), kGeneratedAt + 5, 0x10}));
  const std::vector<Frames> frames = answers();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].stack_key, 7U);
  EXPECT_EQ(frames[0].text, "runtime.gcStart;main.main;runtime.gcStart;0x720000000004;0xf");
  EXPECT_EQ(frames[0].cause, Cause::kUnknown);
}

// Above the leaf the address is where a call returns to: the next function, if the call
// is the last instruction of one that does not return.
TEST_F(StackSymbolsTest, ReturnAddressesBelongToTheCall) {
  add_process(kPid);
  const std::uint64_t begin = in_function(2) - 2;
  feed(stream().stack(7, {begin, begin}));
  const std::vector<Frames> frames = answers();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].text, "runtime.(*mheap).freeSpanLocked;runtime.gcStart");
}

TEST_F(StackSymbolsTest, GeneratedCodeOfAGoProgramIsNotMalloc) {
  add_process(kPid);
  feed(stream().stack(7, {kGeneratedAt}));
  EXPECT_EQ(answers().at(0).cause, Cause::kCgo);
}

TEST_F(StackSymbolsTest, AProcessThatIsGoneIsAnsweredWithNothing) {
  feed(stream().stack(7, {in_function(1)}).stack(8, {in_function(4)}));
  const std::vector<Frames> frames = answers();
  ASSERT_EQ(frames.size(), 2U);
  for (const Frames& answer : frames) {
    EXPECT_EQ(answer.text, "");
    EXPECT_EQ(answer.cause, std::nullopt);
  }
  EXPECT_EQ(frames[1].stack_key, 8U);
}

TEST_F(StackSymbolsTest, WhatWasSeenOfAProcessOutlivesIt) {
  add_process(kPid);
  feed(stream().stack(7, {in_function(1)}));
  EXPECT_EQ(answers().size(), 1U);
  remove_process(kPid);
  feed(stream().stack(8, {in_function(4)}).exit(0));
  const std::vector<Frames> frames = answers();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].text, "main.main");
}

// The pid may be another's by now: its files say nothing of the one that ended.
TEST_F(StackSymbolsTest, AProcessThatHasEndedIsNotLookedAt) {
  add_process(kPid);
  feed(stream().stack(7, {in_function(1)}).exit(0).stack(8, {in_function(1)}));
  const std::vector<Frames> frames = answers();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].text, "");
  EXPECT_EQ(frames[1].text, "runtime.gcStart");
}

TEST_F(StackSymbolsTest, WhatAnExecOvertookIsAnsweredWithNothing) {
  add_process(kPid);
  add_process(kOther);
  test::StreamBuilder first;
  first.on(kOther, kOther).stack(6, {in_function(1)});
  first.on(kPid, kPid).stack(7, {in_function(1)});
  feed(first);
  constexpr std::uint64_t kLongNs = 10'000'000'000;
  symbols_->work(kLongNs);
  feed(stream().stack(8, {in_function(1)}).exec().stack(9, {in_function(4)}));
  std::vector<Frames> frames = symbols_->take_ready();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].text, "runtime.gcStart");
  EXPECT_EQ(frames[1].stack_key, 7U);
  EXPECT_EQ(frames[1].text, "");
  EXPECT_EQ(frames[1].cause, std::nullopt);
  frames = answers();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].stack_key, 8U);
  EXPECT_EQ(frames[0].text, "");
  EXPECT_EQ(frames[1].text, "main.main");
}

}  // namespace
}  // namespace madvtrace
