// SPDX-License-Identifier: Apache-2.0
#include "golang/code_references.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

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

class Arm64References {
 public:
  std::vector<CodeReference> find(std::span<const std::byte> code, std::uint64_t at) {
    for (std::size_t i = 0; i + sizeof(std::uint32_t) <= code.size(); i += sizeof(std::uint32_t)) {
      take(load<std::uint32_t>(code, i).value_or(0), at + i);
    }
    return std::move(found_);
  }

 private:
  void take(std::uint32_t word, std::uint64_t pc) {
    const std::uint32_t target = word & 0x1f;
    const std::optional<std::uint64_t> base = known_[(word >> 5) & 0x1f];
    const std::uint64_t imm12 = (word >> 10) & 0xfff;
    if ((word & 0x9f000000) == 0x90000000) {  // adrp: 21 bits of pages
      const std::uint64_t pages = ((word >> 3) & 0x1ffffc) | ((word >> 29) & 3);
      known_[target] = (pc & ~std::uint64_t{0xfff}) + (sign_extended(pages, 21) << 12);
    } else if ((word & 0xff800000) == 0x91000000) {  // add xd, xn, #imm12 (shift 0 or 12)
      known_[target] = reference(base, (word & 0x400000) != 0 ? imm12 << 12 : imm12, DataAccess::kAddress);
    } else if ((word & 0xbf800000) == 0xb9000000) {  // ldr, str with a scaled imm12, 32 or 64 bits
      const bool reads = (word & 0x400000) != 0;
      reference(base, imm12 << ((word & 0x40000000) != 0 ? 3 : 2), reads ? DataAccess::kRead : DataAccess::kWrite);
      if (reads) known_[target].reset();
    } else if ((word & 0xbfbffc00) == 0x889ffc00) {  // ldar, stlr
      const bool reads = (word & 0x400000) != 0;
      reference(base, 0, reads ? DataAccess::kRead : DataAccess::kWrite);
      if (reads) known_[target].reset();
    } else if ((word & 0xff800000) == 0xa9000000) {  // ldp, stp of 64 bits with a scaled imm7
      const bool reads = (word & 0x400000) != 0;
      const std::uint64_t offset = sign_extended((word >> 15) & 0x7f, 7) << 3;
      for (const std::uint64_t next : {std::uint64_t{0}, std::uint64_t{8}}) {
        reference(base, offset + next, reads ? DataAccess::kRead : DataAccess::kWrite);
      }
      if (reads) known_[target].reset();
      if (reads) known_[(word >> 10) & 0x1f].reset();
    }
  }

  std::optional<std::uint64_t> reference(std::optional<std::uint64_t> base, std::uint64_t offset, DataAccess access) {
    if (!base) return std::nullopt;
    found_.push_back({*base + offset, access});
    return *base + offset;
  }

  static std::uint64_t sign_extended(std::uint64_t value, unsigned bits) {
    const std::uint64_t sign = std::uint64_t{1} << (bits - 1);
    return (value ^ sign) - sign;
  }

  std::array<std::optional<std::uint64_t>, 32> known_;  // what is in a register
  std::vector<CodeReference> found_;
};

}  // namespace

std::vector<CodeReference> code_references(ElfMachine machine, std::span<const std::byte> code, std::uint64_t at) {
  std::vector<CodeReference> found;
  if (machine == ElfMachine::kX86_64) found = x86_references(code, at);
  if (machine == ElfMachine::kAarch64) found = Arm64References().find(code, at);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace madvtrace
