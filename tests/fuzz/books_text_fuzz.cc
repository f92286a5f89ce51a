// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a program serves of its own statistics.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "golang/books_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& books : {madvtrace::parse_pprof_heap(text), madvtrace::parse_expvar(text)}) {
    if (!books) continue;
    if (*books->heap_inuse + *books->heap_idle != *books->heap_sys) __builtin_trap();
    if (*books->heap_released > *books->heap_idle) __builtin_trap();
  }
  return 0;
}
