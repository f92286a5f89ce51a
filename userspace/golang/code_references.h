// SPDX-License-Identifier: Apache-2.0
// Which addresses of data a piece of machine code names. Not a disassembler: it looks for
// the few instruction forms by which the Go compiler gets at a global variable, at every
// byte on x86-64 and in order on arm64. It finds some that are none, and misses others:
// what is found is evidence, to be held against a pattern that chance does not make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "golang/elf_image.h"

namespace madvtrace {

enum class DataAccess : std::uint8_t { kRead, kWrite, kAddress };

struct CodeReference {
  std::uint64_t address = 0;
  DataAccess access = DataAccess::kRead;
  friend bool operator==(const CodeReference&, const CodeReference&) = default;
  friend bool operator<(const CodeReference& a, const CodeReference& b) {
    return std::tie(a.address, a.access) < std::tie(b.address, b.access);
  }
};

// Of `code`, which lies at link-time address `at`: ascending, each once. Nothing for other
// machines.
//   x86-64: [rip + disp32] of mov, lea, add, sub, cmp, xchg, inc and dec
//   arm64:  adrp, and the add, ldr, str, ldar, stlr, ldp or stp that follows for the same
//           register
std::vector<CodeReference> code_references(ElfMachine machine, std::span<const std::byte> code, std::uint64_t at);

}  // namespace madvtrace
