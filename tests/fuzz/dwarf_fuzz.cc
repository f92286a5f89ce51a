// SPDX-License-Identifier: Apache-2.0
// Any bytes as the debug information of a program, in this process, so that the sanitizers
// see what libdw does with its heap. The tool itself never does this: it looks in a child
// process with limits. libdw is not built with sanitizers; what they report of it is an
// error of its own, which the child contains.
#include <cstddef>
#include <cstdint>

#include "golang/books_dwarf.h"
#include "golang/books_layout.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto image = madvtrace::image_of(data, size);
  if (!image) return 0;
  Elf* const elf = image->elf();
  if (elf == nullptr) return 0;
  const auto layout = madvtrace::read_dwarf(elf);
  if (!layout) return 0;
  if (!layout->has_heap()) __builtin_trap();
  for (const madvtrace::WordPlace& place : layout->words) {
    if (place.bytes != 0 && place.bytes != 4 && place.bytes != 8) __builtin_trap();
  }
  const madvtrace::HeapStatsPlace& sets = layout->heap_stats;
  if (sets.set_bytes > madvtrace::HeapStatsPlace::kSetBytesLimit) __builtin_trap();
  if (sets.known() && std::uint64_t{8} * sets.size_classes > sets.set_bytes) __builtin_trap();
  return 0;
}
