// SPDX-License-Identifier: Apache-2.0
// A Go module is a Go binary, an executable or a library, with what has been found in it so
// far. All processes that run it share it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "golang/build_info.h"
#include "golang/elf_image.h"
#include "golang/pclntab.h"
#include "targets/program/answers.h"

namespace madvtrace {

// Not for two threads at once: what is expensive is found when it is first asked for.
class GoModule {
 public:
  GoModule(ElfImage image, Pclntab functions, BuildInfo build)
      : image_(std::move(image)), functions_(std::move(functions)), build_(std::move(build)) {}

  const std::vector<ElfSegment>& segments() const { return image_.segments(); }

  // The function at an offset in the file; nothing where there is no Go code.
  std::optional<GoFunction> at(std::uint64_t file_offset) const;

  // A library says nothing of its build.
  GoFacts facts() const;
  // In a process that has it loaded there. The first call for a bias takes 10 to 40 ms, and may
  // fork: golang/books.h.
  const FoundBooks& books(std::uint64_t load_bias) const;

 private:
  const std::optional<GcFunctions>& gc_functions() const;

  ElfImage image_;
  Pclntab functions_;
  BuildInfo build_;
  mutable std::optional<std::optional<GcFunctions>> gc_functions_;
  mutable std::map<std::uint64_t, FoundBooks> books_;  // by load bias
};

}  // namespace madvtrace
