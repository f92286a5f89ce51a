// SPDX-License-Identifier: Apache-2.0
#include "targets/program/go_modules.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace madvtrace {
namespace {

bool says_go(const ElfImage& image) {
  constexpr std::array kSections{".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo", ".note.go.buildid"};
  return std::any_of(kSections.begin(), kSections.end(),
                     [&](const char* name) { return image.section(name).has_value(); });
}

std::shared_ptr<const GoModule> read_module(const UniqueFd& file, bool executable, const std::string& name) {
  const Result<ElfImage> image = ElfImage::open(UniqueFd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)), name);
  if (!image || (!executable && !says_go(*image))) return nullptr;
  Result<Pclntab> functions = Pclntab::read(*image);
  if (!functions) return nullptr;
  return std::make_shared<const GoModule>(*image, std::move(*functions),
                                          executable ? read_build_info(*image) : BuildInfo{});
}

}  // namespace

std::shared_ptr<const GoModule> GoModules::get(const UniqueFd& file, bool executable, const std::string& name) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return nullptr;
  const Key key{status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                static_cast<std::uint64_t>(status.st_mtim.tv_sec), static_cast<std::uint64_t>(status.st_mtim.tv_nsec)};
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    files_.splice(files_.begin(), files_, found->second);
    return files_.front().module;
  }
  if (files_.size() >= kFiles) {
    by_key_.erase(files_.back().key);
    files_.pop_back();
  }
  files_.push_front({.key = key, .module = read_module(file, executable, name)});
  by_key_[key] = files_.begin();
  return files_.front().module;
}

}  // namespace madvtrace
