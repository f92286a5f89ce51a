// SPDX-License-Identifier: Apache-2.0
// Any bytes as a Go program with a table of functions.
#include <cstddef>
#include <cstdint>

#include "golang/pclntab.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto image = madvtrace::image_of(data, size);
  if (!image) return 0;
  const auto table = madvtrace::Pclntab::read(*image);
  if (!table) return 0;
  for (std::size_t number = 0; number < table->size(); ++number) {
    const auto function = table->function(number);
    if (!function || function->code.begin > function->code.end) __builtin_trap();
    if (function->code.empty()) continue;
    // The table is sorted, so the function there is that one.
    const auto found = table->at(function->code.begin);
    if (!found || found->code != function->code || found->name != function->name) __builtin_trap();
  }
  const auto found = table->find("runtime.gcStart");
  if (found && found->name != "runtime.gcStart") __builtin_trap();
  return 0;
}
