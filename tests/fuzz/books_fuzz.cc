// SPDX-License-Identifier: Apache-2.0
// Any bytes as what the words of a process hold, in the layouts of every version: what is
// given out holds together. The first byte chooses the layout.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "golang/books.h"
#include "golang/books_anchors.h"
#include "golang/books_layout.h"

namespace {

// Runs through the bytes, and then begins again.
class AnyMemory final : public madvtrace::ProcessMemory {
 public:
  explicit AnyMemory(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  madvtrace::Status read(std::span<const madvtrace::MemoryPiece> pieces) const override {
    for (const madvtrace::MemoryPiece& piece : pieces) {
      if (piece.into.size() > madvtrace::kMemoryReadLimitBytes) __builtin_trap();
      for (std::byte& byte : piece.into) {
        byte = bytes_.empty() ? std::byte{0} : std::byte{bytes_[at_++ % bytes_.size()]};
      }
    }
    return {};
  }

 private:
  std::span<const std::uint8_t> bytes_;
  mutable std::size_t at_ = 0;
};

void check(const madvtrace::GoBooks& books) {
  if (*books.heap_inuse_bytes + *books.heap_idle_bytes != *books.heap_sys_bytes) __builtin_trap();
  if (*books.heap_released_bytes > *books.heap_idle_bytes || *books.heap_sys_bytes > std::uint64_t{1} << 57)
    __builtin_trap();
  if (books.frees.value_or(0) > books.mallocs.value_or(0)) __builtin_trap();
  std::uint64_t end = 0;
  for (const madvtrace::AddressRange& arena : books.arenas) {
    if (arena.empty() || (end != 0 && arena.begin <= end)) __builtin_trap();
    end = arena.end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr unsigned kFirstMinor = 12;
  constexpr unsigned kVersions = 17;
  const unsigned minor = kFirstMinor + data[0] % kVersions;
  const madvtrace::GoVersion version{.minor = minor, .text = "go"};
  const bool has_controller = version.at_least(19);
  auto layout = madvtrace::layout_from_anchors(
      {.heap_in_use = has_controller ? std::optional<std::uint64_t>(0x10000) : std::nullopt,
       .last_gc_unix = 0x20000,
       .arenas = 0x30000},
      version);
  if (!layout) __builtin_trap();
  layout->arena_base = data[0] >= 128 ? 0 : 0xffff'8000'0000'0000;
  const AnyMemory memory(std::span(data, size).subspan(1));
  const madvtrace::BooksReader reader(madvtrace::BooksRung::kCode, *layout);
  const auto books = reader.read(memory);
  if (books) check(*books);
  const auto limited = reader.read(memory, {.address_space_bytes = 1 << 20});
  if (limited) check(*limited);
  return 0;
}
