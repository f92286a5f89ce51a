// SPDX-License-Identifier: Apache-2.0
// Numbers out of bytes of a file, without ever reading past their end. The machine
// that runs this is little-endian, and so is every file that is read here.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace madvtrace {

static_assert(std::endian::native == std::endian::little);

// Nothing if `bytes` has no whole T at `offset`, which may be any number.
template <class T>
std::optional<T> load(std::span<const std::byte> bytes, std::uint64_t offset = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// The bytes up to the first NUL, or all of them.
inline std::string_view text_until_nul(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.substr(0, text.find('\0'));
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace madvtrace
