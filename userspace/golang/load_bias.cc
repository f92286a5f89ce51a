// SPDX-License-Identifier: Apache-2.0
#include "golang/load_bias.h"

#include <algorithm>
#include <map>
#include <set>

namespace madvtrace {
namespace {

// The file bytes [begin, end) in common.
bool share_bytes(const FileMapping& mapping, const ElfSegment& segment) {
  return mapping.offset < segment.offset + segment.addresses.bytes() &&
         segment.offset < mapping.offset + mapping.addresses.bytes();
}

}  // namespace

std::optional<std::uint64_t> load_bias(std::span<const FileMapping> mappings, std::span<const ElfSegment> segments) {
  std::map<std::uint64_t, std::size_t> votes;
  for (const FileMapping& mapping : mappings.first(std::min(mappings.size(), kBiasMappings))) {
    // Pages that two segments share in the file can be of either.
    std::set<std::uint64_t> possible;
    for (const ElfSegment& segment : segments.first(std::min(segments.size(), kBiasSegments))) {
      const std::uint64_t bias =
          (mapping.addresses.begin - mapping.offset) - (segment.addresses.begin - segment.offset);
      if (share_bytes(mapping, segment) && bias % kPageBytes == 0) possible.insert(bias);
    }
    for (const std::uint64_t bias : possible) ++votes[bias];
  }
  std::optional<std::uint64_t> best;
  std::size_t most = 0;
  for (const auto& [bias, count] : votes) {
    if (count == most) best.reset();
    if (count > most) {
      best = bias;
      most = count;
    }
  }
  return best;
}

}  // namespace madvtrace
