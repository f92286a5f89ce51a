// SPDX-License-Identifier: Apache-2.0
// Any bytes as a Go program that tells its version.
#include <cstddef>
#include <cstdint>

#include "golang/build_info.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto image = madvtrace::image_of(data, size);
  if (!image) return 0;
  const madvtrace::BuildInfo info = madvtrace::read_build_info(*image);
  if (info.version.has_value() != (info.found_in != madvtrace::VersionSource::kNone)) __builtin_trap();
  static_cast<void>(info.setting("-tags"));
  return 0;
}
