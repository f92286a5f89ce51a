// SPDX-License-Identifier: Apache-2.0
#include "model/group_sums.h"

#include <optional>

namespace madvtrace {
namespace {

// What is unknown stays so. Wraps: no real trace comes near.
void add_to(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& part) {
  sum = sum && part ? std::optional(*sum + *part) : std::nullopt;
}

}  // namespace

SampleRow group_part(const SampleRow& row) {
  SampleRow part;
  part.pending_bytes = row.pending_bytes;
  for_each_field(kSampleFields, [&](const auto& field) { part.sample.*field.member = row.sample.*field.member; });
  return part;
}

void add_to_group(std::optional<SampleRow>& sum, const SampleRow& part) {
  if (!sum) {
    sum = part;
    return;
  }
  add_to(sum->pending_bytes, part.pending_bytes);
  for_each_field(kSampleFields,
                 [&](const auto& field) { add_to(sum->sample.*field.member, part.sample.*field.member); });
}

}  // namespace madvtrace
