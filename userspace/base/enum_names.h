// SPDX-License-Identifier: Apache-2.0
// EnumNames says once what the values of an enum are called in the output, and is read both ways.
//
//   inline constexpr auto kColourNames = names_of<Colour::kGreen>({
//       {Colour::kRed, "red"},
//       {Colour::kGreen, "green"},
//   });
//
// The template argument is the last value. A table that lacks a value before it, or has them in another order, does not
// compile; the compiler does not notice values behind it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace madvtrace {

template <class Enum>
struct EnumName {
  Enum value;
  std::string_view name;
};

template <class Enum, std::size_t Count>
class EnumNames {
 public:
  consteval explicit EnumNames(const EnumName<Enum> (&names)[Count]) {
    for (std::size_t i = 0; i < Count; ++i) {
      if (static_cast<std::size_t>(names[i].value) != i) throw "names stand in the order of the values";
      names_[i] = names[i].name;
    }
  }

  constexpr std::string_view operator[](Enum value) const { return names_.at(static_cast<std::size_t>(value)); }

  // Gives nothing for a name that no value has.
  constexpr std::optional<Enum> value_of(std::string_view name) const {
    const auto* const found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) return std::nullopt;
    return static_cast<Enum>(found - names_.begin());
  }

  // The names go in the order of the values.
  constexpr auto begin() const { return names_.begin(); }
  constexpr auto end() const { return names_.end(); }

 private:
  std::array<std::string_view, Count> names_{};
};

template <auto Last, std::size_t Count>
consteval EnumNames<decltype(Last), Count> names_of(const EnumName<decltype(Last)> (&names)[Count]) {
  static_assert(Count == static_cast<std::size_t>(Last) + 1, "each value has a name");
  return EnumNames<decltype(Last), Count>(names);
}

}  // namespace madvtrace
