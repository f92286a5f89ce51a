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

void GroupSums::add(const SampleRow& row) {
  SampleRow& kept = rows_[row.pid];
  kept.pending_bytes = row.pending_bytes;
  for_each_field(kSampleFields, [&](const auto& field) { kept.sample.*field.member = row.sample.*field.member; });
}

SampleRow GroupSums::take() {
  SampleRow sum;
  bool first = true;
  for (const auto& [pid, row] : rows_) {
    if (first) {
      sum = row;
    } else {
      add_to(sum.pending_bytes, row.pending_bytes);
      for_each_field(kSampleFields,
                     [&](const auto& field) { add_to(sum.sample.*field.member, row.sample.*field.member); });
    }
    first = false;
  }
  rows_.clear();
  return sum;
}

}  // namespace madvtrace
