// SPDX-License-Identifier: Apache-2.0
// Debug information made by hand: one unit, with the few kinds of entries that Go's
// linker writes for package runtime. DWARF 4, 64-bit addresses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/elf_builder.h"

namespace madvtrace {

class DwarfBuilder {
 public:
  // An offset in the unit, by which an entry is referred to.
  using Type = std::uint32_t;
  struct Member {
    std::string name;
    std::uint64_t offset = 0;
    Type type = 0;
  };

  explicit DwarfBuilder(std::string_view unit_name);

  Type base(std::string_view name, std::uint8_t bytes);
  Type structure(std::string_view name, std::uint64_t bytes, const std::vector<Member>& members);
  Type array(std::string_view name, std::uint64_t bytes, Type element);
  Type name_for(std::string_view name, Type type);  // a typedef
  void variable(std::string_view name, std::uint64_t address, Type type);

  std::string info() const;            // .debug_info
  static std::string abbreviations();  // .debug_abbrev

  // Package runtime of Go 1.19, in short: gcController at 0x10000, memstats at 0x11000,
  // mheap_ at 0x13000.
  static DwarfBuilder runtime();

 private:
  Type here() const { return static_cast<Type>(kHeaderBytes + entries_.size()); }
  void add_name(std::string_view name);

  static constexpr std::size_t kHeaderBytes = 11;
  ByteWriter entries_;
};

// A file with this debug information.
std::string elf_with_dwarf(const std::string& info, const std::string& abbreviations);

}  // namespace madvtrace
