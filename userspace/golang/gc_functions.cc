// SPDX-License-Identifier: Apache-2.0
#include "golang/gc_functions.h"

#include <algorithm>
#include <string_view>

#include "golang/build_info.h"

namespace madvtrace {
namespace {

std::optional<std::uint64_t> entry_offset(const ElfImage& image, const Pclntab& table, std::string_view name) {
  const auto function = table.find(name);
  if (!function) return std::nullopt;
  const std::uint64_t entry = function->code.begin;
  const auto& segments = image.segments();
  const auto segment = std::find_if(segments.begin(), segments.end(), [&](const ElfSegment& each) {
    return each.executable && entry >= each.addresses.begin && entry < each.addresses.end;
  });
  if (segment == segments.end()) return std::nullopt;
  return segment->offset + (entry - segment->addresses.begin);
}

bool has_trigger(const ElfImage& image, const Pclntab& table) {
  if (table.layout() != PclntabLayout::kGo118) return table.layout() == PclntabLayout::kGo120;
  constexpr unsigned kSinceMinor = 19;
  const auto version = read_build_info(image).version;
  return version && version->at_least(kSinceMinor);
}

}  // namespace

std::optional<GcFunctions> find_gc_functions(const ElfImage& image, const Pclntab& table) {
  if (image.machine() != ElfMachine::kX86_64) return std::nullopt;
  const auto start = entry_offset(image, table, "runtime.(*gcControllerState).startCycle");
  const auto end = entry_offset(image, table, "runtime.gcSweep");
  if (!start || !end) return std::nullopt;
  return GcFunctions{.start_offset = *start, .end_offset = *end, .has_trigger = has_trigger(image, table)};
}

}  // namespace madvtrace
