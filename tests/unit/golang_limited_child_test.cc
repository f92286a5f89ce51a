// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "golang/limited_child.h"

namespace madvtrace {
namespace {

using Bytes = std::vector<std::byte>;
using std::chrono::milliseconds;

std::string error_of(const Result<Bytes>& result) { return result ? "no error" : result.error().message; }

TEST(LimitedChild, AnswersWithBytes) {
  // More than a pipe holds at once.
  const std::size_t large = std::size_t{1} << 20;
  const Result<Bytes> answer =
      run_in_limited_child("test", {.answer_bytes = large}, [&] { return Bytes(large, std::byte{7}); });
  ASSERT_TRUE(answer.has_value()) << error_of(answer);
  EXPECT_EQ(*answer, Bytes(large, std::byte{7}));
  const Result<Bytes> nothing = run_in_limited_child("test", {}, [] { return Bytes(); });
  ASSERT_TRUE(nothing.has_value());
  EXPECT_TRUE(nothing->empty());
}

TEST(LimitedChild, ChangesNothingHere) {
  int changed = 0;
  ASSERT_TRUE(run_in_limited_child("test", {}, [&] {
                changed = 1;
                return Bytes();
              }).has_value());
  EXPECT_EQ(changed, 0);
}

TEST(LimitedChild, MayCrash) {
  const Result<Bytes> killed = run_in_limited_child("test", {}, []() -> Bytes {
    ::raise(SIGKILL);
    return {};
  });
  EXPECT_EQ(error_of(killed), "test: ended by signal 9");
  const Result<Bytes> thrown = run_in_limited_child("test", {}, []() -> Bytes { throw std::runtime_error("no"); });
  EXPECT_FALSE(thrown.has_value());
  const Result<Bytes> left = run_in_limited_child("test", {}, []() -> Bytes { ::_exit(3); });
  EXPECT_EQ(error_of(left), "test: failed");
}

TEST(LimitedChild, IsEndedInTime) {
  const auto start = std::chrono::steady_clock::now();
  const Result<Bytes> sleeper = run_in_limited_child("test", {.time = milliseconds(50)}, []() -> Bytes {
    ::pause();
    return {};
  });
  EXPECT_EQ(error_of(sleeper), "test: not done after 50 ms");
  const Result<Bytes> spinner = run_in_limited_child("test", {.time = milliseconds(50)}, []() -> Bytes {
    while (::getppid() != 0) {
    }
    return {};
  });
  EXPECT_EQ(error_of(spinner), "test: not done after 50 ms");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(LimitedChild, HasOnlySoMuchMemory) {
  const auto room_for = [](std::size_t bytes) {
    return run_in_limited_child("test", {.memory_bytes = std::size_t{64} << 20}, [&]() -> Bytes {
      void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return memory == MAP_FAILED ? Bytes() : Bytes(1);
    });
  };
  const Result<Bytes> enough = room_for(std::size_t{32} << 20);
  ASSERT_TRUE(enough.has_value()) << error_of(enough);
  EXPECT_EQ(enough->size(), 1U);
  const Result<Bytes> too_much = room_for(std::size_t{128} << 20);
  ASSERT_TRUE(too_much.has_value()) << error_of(too_much);
  EXPECT_TRUE(too_much->empty());
}

TEST(LimitedChild, SaysOnlySoMuch) {
  const Result<Bytes> answer = run_in_limited_child("test", {.answer_bytes = 10}, [] { return Bytes(11); });
  EXPECT_EQ(error_of(answer), "test: the answer is too long");
  EXPECT_TRUE(run_in_limited_child("test", {.answer_bytes = 10}, [] { return Bytes(10); }).has_value());
}

TEST(LimitedChild, LeavesNoProcessBehind) {
  ASSERT_FALSE(run_in_limited_child("test", {.time = milliseconds(20)}, []() -> Bytes {
                 ::pause();
                 return {};
               }).has_value());
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace madvtrace
