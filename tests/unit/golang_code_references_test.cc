// SPDX-License-Identifier: Apache-2.0
// Instructions as objdump shows them of programs of Go 1.19 and 1.20.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "golang/code_references.h"

namespace madvtrace {
namespace {

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
  std::vector<std::byte> result;
  for (const unsigned value : values) result.push_back(std::byte(value));
  return result;
}

std::vector<std::byte> words(std::initializer_list<std::uint32_t> values) {
  const std::vector<std::uint32_t> copy(values);
  const auto raw = std::as_bytes(std::span(copy));
  return {raw.begin(), raw.end()};
}

using References = std::vector<CodeReference>;

TEST(CodeReferences, FindsWhatX86Reads) {
  const auto code = bytes({
      0x48, 0x8b, 0x0d, 0xc9, 0x4f, 0x0d, 0x00,  // 41bd00: mov rcx, [rip+0xd4fc9]  # 4f0cd0
      0x48, 0x8b, 0x15, 0xd2, 0x4f, 0x0d, 0x00,  // 41bd07: mov rdx, [rip+0xd4fd2]  # 4f0ce0
      0x48, 0x01, 0xd1,                          // 41bd0e: add rcx, rdx
  });
  EXPECT_EQ(code_references(ElfMachine::kX86_64, code, 0x41bd00),
            (References{{0x4f0cd0, DataAccess::kRead}, {0x4f0ce0, DataAccess::kRead}}));
}

TEST(CodeReferences, TellsWritesAndAddressesFromReads) {
  const auto code = bytes({
      0x48, 0x8d, 0x0d, 0x20, 0x91, 0xb9, 0x01,  // 42cf29: lea rcx            # 1fc6050
      0x48, 0x01, 0x05, 0x05, 0x00, 0x00, 0x00,  // 42cf30: add [..], rax      # 42cf3c
      0xff, 0x05, 0xfa, 0xff, 0xff, 0xff,        // 42cf37: inc dword [..]     # 42cf37
      0xff, 0x15, 0xfa, 0xff, 0xff, 0xff,        // 42cf3d: call [..]: not data that is looked for
      0x89, 0x05, 0x00, 0x00, 0x00, 0x80,        // 42cf43: mov [..], eax      # -2 GiB
  });
  EXPECT_EQ(code_references(ElfMachine::kX86_64, code, 0x42cf29),
            (References{{0x42cf37, DataAccess::kWrite},
                        {0x42cf3c, DataAccess::kWrite},
                        {0x1fc6050, DataAccess::kAddress},
                        {std::uint64_t{0x42cf49} - 0x80000000, DataAccess::kWrite}}));
}

TEST(CodeReferences, StopsAtTheEndOfTheCode) {
  const auto code = bytes({0x48, 0x8b, 0x0d, 0xc9, 0x4f, 0x0d, 0x00});
  const auto whole = std::span(code);
  EXPECT_EQ(code_references(ElfMachine::kX86_64, whole, 0).size(), 1U);
  EXPECT_TRUE(code_references(ElfMachine::kX86_64, whole.first(6), 0).empty());
  EXPECT_TRUE(code_references(ElfMachine::kX86_64, {}, 0).empty());
}

TEST(CodeReferences, FollowsTheRegistersOfArm64) {
  const auto code = words({
      0xd0004221,  // 6ff10: adrp x1, 0x8b5000
      0x9123e021,  // 6ff14: add x1, x1, #2296
      0xc8dffc21,  // 6ff18: ldar x1, [x1]
      0xb0004222,  // 6ff1c: adrp x2, 0x8b4000
      0xf946b441,  // 6ff20: ldr x1, [x2, #3432]
      0xf906b440,  // 6ff24: str x0, [x2, #3432]
      0xb94ee043,  // 6ff28: ldr w3, [x2, #3808]
      0xa9400440,  // 6ff2c: ldp x0, x1, [x2]
      0xa93f0440,  // 6ff30: stp x0, x1, [x2, #-16]
      0xc89ffc40,  // 6ff34: stlr x0, [x2]
      0xf9400021,  // 6ff38: ldr x1, [x1]: what x1 holds came from memory
  });
  EXPECT_EQ(code_references(ElfMachine::kAarch64, code, 0x6ff10), (References{{0x8b3ff0, DataAccess::kWrite},
                                                                              {0x8b3ff8, DataAccess::kWrite},
                                                                              {0x8b4000, DataAccess::kRead},
                                                                              {0x8b4000, DataAccess::kWrite},
                                                                              {0x8b4008, DataAccess::kRead},
                                                                              {0x8b4d68, DataAccess::kRead},
                                                                              {0x8b4d68, DataAccess::kWrite},
                                                                              {0x8b4ee0, DataAccess::kRead},
                                                                              {0x8b58f8, DataAccess::kRead},
                                                                              {0x8b58f8, DataAccess::kAddress}}));
}

TEST(CodeReferences, FindsDataBelowTheCodeOfArm64) {
  const auto code = words({0xf0ffffe0, 0xf9400401});  // adrp x0, -1 page and 3 bytes of pages; ldr x1, [x0, #8]
  EXPECT_EQ(code_references(ElfMachine::kAarch64, code, 0x10000), (References{{0xf008, DataAccess::kRead}}));
}

TEST(CodeReferences, KnowsNoOtherMachine) {
  EXPECT_TRUE(code_references(ElfMachine::kOther, bytes({0x48, 0x8b, 0x0d, 0, 0, 0, 0}), 0).empty());
}

}  // namespace
}  // namespace madvtrace
