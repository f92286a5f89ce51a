// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_process.h"

#include <fcntl.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "golang/build_info.h"
#include "golang/load_bias.h"
#include "procfs/maps.h"

namespace madvtrace {

Result<BooksReader> locate_books(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/exe";
  const auto image = ElfImage::open(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path);
  if (!image) return fail(image.error().message);
  const auto proc = ProcRoot::open("/proc");
  const auto maps = proc ? read_maps(*proc, pid) : tl::unexpected(proc.error());
  if (!maps) return fail("cannot read the mappings of " + std::to_string(pid));
  std::vector<FileMapping> mappings;
  std::error_code ignored;
  const std::string file = std::filesystem::read_symlink(path, ignored);
  for (const Mapping& mapping : maps->mappings) {
    if (mapping.path == file) mappings.push_back({mapping.range, mapping.offset_bytes});
  }
  const std::optional<std::uint64_t> bias = load_bias(mappings, image->segments());
  if (!bias) return fail(path + ": no load bias");
  const auto functions = Pclntab::read(*image);
  return BooksReader::locate(*image, read_build_info(*image).version, functions ? &*functions : nullptr, *bias);
}

}  // namespace madvtrace
