// SPDX-License-Identifier: Apache-2.0
// A Go program in about two kilobytes: no code that runs, but the tables that the Go
// linker leaves, in each of their layouts. For tests, and for the seeds of the fuzzers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "golang/pclntab.h"

namespace madvtrace {

enum class BuildInfoFormat { kNone, kPointers, kInline };

struct GoImage {
  PclntabLayout layout = PclntabLayout::kGo118;
  bool text_in_module = false;        // since 1.26
  bool position_independent = false;  // as GNU ld does it: zeros where relocations are
  bool aarch64 = false;
  bool with_sections = true;
  bool with_symbols = true;
  BuildInfoFormat build_info = BuildInfoFormat::kInline;
  std::string version = "go1.19.8";
  // Read-only texts that string variables in the data point at.
  std::vector<std::string> strings;

  std::size_t table_pointers = 0;  // in the data, in front of the module

  // Changes one of its parts before the file is made.
  void (*spoil_table)(std::string& table) = nullptr;

  std::string build() const;

  static constexpr std::uint64_t kText = 0x401000;
  static constexpr std::uint64_t kReadOnly = 0x402000;
  static constexpr std::uint64_t kTable = 0x403000;
  static constexpr std::uint64_t kData = 0x404000;
  // Bytes between the beginnings of functions: padding counts.
  static constexpr std::uint64_t kFunctionBytes = 0x20;
  static const std::vector<std::string>& functions();
  static std::uint64_t function_address(std::size_t number) { return kText + 0x10 + number * kFunctionBytes; }
};

}  // namespace madvtrace
