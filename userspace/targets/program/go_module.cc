// SPDX-License-Identifier: Apache-2.0
#include "targets/program/go_module.h"

#include <memory>

namespace madvtrace {
namespace {

// A position independent binary has another one in every process.
constexpr std::size_t kMostBiases = 16;

}  // namespace

// From the file's offset and not by a load bias, which for a library would take its
// other mappings too.
std::optional<GoFunction> GoModule::at(std::uint64_t file_offset) const {
  for (const ElfSegment& segment : segments()) {
    if (!segment.executable || file_offset < segment.offset) continue;
    const std::uint64_t distance = file_offset - segment.offset;
    if (distance < segment.addresses.bytes()) return functions_.at(segment.addresses.begin + distance);
  }
  return std::nullopt;
}

GoFacts GoModule::facts() const {
  return {.version = build_.version,
          .build_id = build_.build_id,
          .default_godebug = std::string(build_.setting("DefaultGODEBUG").value_or("")),
          .gc_functions = gc_functions()};
}

const std::optional<GcFunctions>& GoModule::gc_functions() const {
  if (!gc_functions_) gc_functions_ = find_gc_functions(image_, functions_);
  return *gc_functions_;
}

const FoundBooks& GoModule::books(std::uint64_t load_bias) const {
  if (const auto known = books_.find(load_bias); known != books_.end()) return known->second;
  if (books_.size() >= kMostBiases) books_.clear();
  FoundBooks& books = books_[load_bias];
  if (Result<BooksReader> reader = BooksReader::locate(image_, build_.version, &functions_, load_bias)) {
    books.reader = std::make_shared<const BooksReader>(std::move(*reader));
  } else {
    books.why_not = reader.error().message;
  }
  return books;
}

}  // namespace madvtrace
