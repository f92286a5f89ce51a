// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "golang/process_memory.h"

namespace madvtrace {
namespace {

template <class T>
std::uint64_t address_of(const T& object) {
  return reinterpret_cast<std::uint64_t>(&object);
}

TEST(ProcessMemory, ReadsSeveralPiecesAtOnce) {
  const std::array<std::uint64_t, 3> source{1, 2, 3};
  std::uint64_t third = 0;
  std::uint32_t first = 0;
  const std::array pieces{MemoryPiece{address_of(source[2]), std::as_writable_bytes(std::span(&third, 1))},
                          MemoryPiece{0x10, {}},  // nothing is read for nothing
                          MemoryPiece{address_of(source[0]), std::as_writable_bytes(std::span(&first, 1))}};
  const LiveProcessMemory memory(::getpid());
  ASSERT_TRUE(memory.read(pieces).has_value());
  EXPECT_EQ(third, 3U);
  EXPECT_EQ(first, 1U);
}

TEST(ProcessMemory, RefusesWhatIsMappedOnlyInPart) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const pages = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  ASSERT_EQ(::mprotect(static_cast<std::byte*>(pages) + page, page, PROT_NONE), 0);
  const auto begin = reinterpret_cast<std::uint64_t>(pages);
  std::vector<std::byte> buffer(16);
  const LiveProcessMemory memory(::getpid());
  EXPECT_TRUE(memory.read(std::array{MemoryPiece{begin + page - 16, buffer}}).has_value());
  EXPECT_FALSE(memory.read(std::array{MemoryPiece{begin + page - 8, buffer}}).has_value());
  EXPECT_FALSE(memory.read(std::array{MemoryPiece{begin + page, buffer}}).has_value());
  EXPECT_FALSE(memory.read(std::array{MemoryPiece{UINT64_MAX - 8, buffer}}).has_value());
  ::munmap(pages, 2 * page);
}

TEST(ProcessMemory, RefusesTooMuch) {
  const LiveProcessMemory memory(::getpid());
  std::vector<std::byte> large(kMemoryReadLimitBytes);
  EXPECT_TRUE(memory.read(std::array{MemoryPiece{address_of(large[0]), large}}).has_value());
  std::byte one{};
  EXPECT_FALSE(memory
                   .read(std::array{MemoryPiece{address_of(large[0]), large},
                                    MemoryPiece{address_of(large[0]), std::span(&one, 1)}})
                   .has_value());
  const std::vector<MemoryPiece> many(kMemoryReadLimitPieces + 1,
                                      MemoryPiece{address_of(large[0]), std::span(&one, 1)});
  EXPECT_FALSE(memory.read(many).has_value());
  EXPECT_TRUE(memory.read(std::span(many).first(kMemoryReadLimitPieces)).has_value());
}

TEST(ProcessMemory, SaysWhichProcessIsGone) {
  constexpr pid_t kNobody = 0x3fffffff;  // over the kernel's PID_MAX_LIMIT
  std::byte one{};
  const Status read = LiveProcessMemory(kNobody).read(std::array{MemoryPiece{address_of(one), std::span(&one, 1)}});
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find(std::to_string(kNobody)), std::string::npos) << read.error().message;
}

}  // namespace
}  // namespace madvtrace
