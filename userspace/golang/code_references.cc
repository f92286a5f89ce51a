// SPDX-License-Identifier: Apache-2.0
#include "golang/code_references.h"

#include <algorithm>
#include <array>
#include <optional>

#include "golang/little_endian.h"

namespace madvtrace {
namespace {

std::optional<DataAccess> x86_access(std::uint8_t opcode, std::uint8_t modrm) {
  switch (opcode) {
    case 0x8b:  // mov, add, sub, cmp: from memory
    case 0x03:
    case 0x2b:
    case 0x3b:
    case 0x39:  // cmp
      return DataAccess::kRead;
    case 0x89:  // mov, add, sub: to memory; xchg
    case 0x01:
    case 0x29:
    case 0x87:
      return DataAccess::kWrite;
    case 0xff:  // inc, dec
      return (modrm & 0x38) <= 0x08 ? std::optional(DataAccess::kWrite) : std::nullopt;
    case 0x8d:  // lea
      return DataAccess::kAddress;
    default:
      return std::nullopt;
  }
}

std::vector<CodeReference> x86_references(std::span<const std::byte> code, std::uint64_t at) {
  constexpr std::size_t kInstructionBytes = 6;  // opcode, modrm, disp32; prefixes stand before
  std::vector<CodeReference> found;
  for (std::size_t i = 0; i + kInstructionBytes <= code.size(); ++i) {
    const auto modrm = std::to_integer<std::uint8_t>(code[i + 1]);
    if ((modrm & 0xc7) != 0x05) continue;  // [rip + disp32]
    const std::optional<DataAccess> access = x86_access(std::to_integer<std::uint8_t>(code[i]), modrm);
    if (!access) continue;
    const auto displacement = static_cast<std::int64_t>(load<std::int32_t>(code, i + 2).value_or(0));
    found.push_back({at + i + kInstructionBytes + static_cast<std::uint64_t>(displacement), *access});
  }
  return found;
}

std::vector<CodeReference> arm64_references(std::span<const std::byte> code, std::uint64_t at) {
  constexpr std::uint32_t kRegisters = 32;
  std::array<std::optional<std::uint64_t>, kRegisters> known;
  std::vector<CodeReference> found;
  for (std::size_t i = 0; i + 4 <= code.size(); i += 4) {
    const std::uint32_t word = load<std::uint32_t>(code, i).value_or(0);
    const std::uint32_t target = word & 0x1f;
    const std::optional<std::uint64_t> base = known[(word >> 5) & 0x1f];
    const std::uint64_t immediate = (word >> 10) & 0xfff;
    if ((word & 0x9f000000) == 0x90000000) {  // adrp: 21 bits of pages
      const std::uint64_t pages = (((word >> 5) & 0x7ffff) << 2) | ((word >> 29) & 3);
      const std::uint64_t negative = (pages & 0x100000) != 0 ? ~std::uint64_t{0x1fffff} : 0;
      known[target] = ((at + i) & ~std::uint64_t{0xfff}) + ((pages | negative) << 12);
    } else if ((word & 0xff800000) == 0x91000000) {  // add xd, xn, #imm12 (shift 0 or 12)
      const std::uint64_t addend = (word & 0x400000) != 0 ? immediate << 12 : immediate;
      known[target] = base ? std::optional(*base + addend) : std::nullopt;
      if (base) found.push_back({*base + addend, DataAccess::kAddress});
    } else if ((word & 0xbf800000) == 0xb9000000) {  // ldr or str, 32 or 64 bits, scaled imm12
      const bool reads = (word & 0x400000) != 0;
      if (base) {
        found.push_back({*base + (immediate << ((word & 0x40000000) != 0 ? 3 : 2)),
                         reads ? DataAccess::kRead : DataAccess::kWrite});
      }
      if (reads) known[target] = std::nullopt;
    }
  }
  return found;
}

}  // namespace

std::vector<CodeReference> code_references(ElfMachine machine, std::span<const std::byte> code, std::uint64_t at) {
  std::vector<CodeReference> found;
  if (machine == ElfMachine::kX86_64) found = x86_references(code, at);
  if (machine == ElfMachine::kAarch64) found = arm64_references(code, at);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace madvtrace
