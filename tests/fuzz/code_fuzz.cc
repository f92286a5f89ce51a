// SPDX-License-Identifier: Apache-2.0
// Any bytes as machine code, and as a program with functions of the runtime's names.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "golang/books_anchors.h"
#include "golang/code_references.h"
#include "golang/pclntab.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto code = std::as_bytes(std::span(data, size));
  for (const auto machine : {madvtrace::ElfMachine::kX86_64, madvtrace::ElfMachine::kAarch64}) {
    const auto references = madvtrace::code_references(machine, code, 0xffff'ffff'ffff'ff00);
    const auto not_ascending = [](const auto& a, const auto& b) { return !(a < b); };
    if (std::adjacent_find(references.begin(), references.end(), not_ascending) != references.end()) {
      __builtin_trap();
    }
  }

  const auto image = madvtrace::image_of(data, size);
  if (!image) return 0;
  const auto functions = madvtrace::Pclntab::read(*image);
  for (const unsigned minor : {12U, 15U, 18U, 19U, 26U, 99U}) {
    const madvtrace::GoVersion version{.minor = minor, .text = "go"};
    static_cast<void>(madvtrace::layout_from_anchors(madvtrace::anchors_from_symbols(*image, version), version));
    if (!functions) continue;
    static_cast<void>(
        madvtrace::layout_from_anchors(madvtrace::anchors_from_code(*image, version, *functions), version));
  }
  return 0;
}
