// SPDX-License-Identifier: Apache-2.0
#include "model/group_sums.h"

#include <array>

namespace madvtrace {
namespace {

constexpr std::array kAdded{&Sample::rss_bytes,       &Sample::rss_anon_bytes, &Sample::rss_file_bytes,
                            &Sample::rss_shmem_bytes, &Sample::swap_bytes,     &Sample::page_tables_bytes,
                            &Sample::lazyfree_bytes,  &Sample::anon_huge_bytes};

// What is unknown stays so. Wraps: no real trace comes near.
void add_to(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& part) {
  sum = sum && part ? std::optional(*sum + *part) : std::nullopt;
}

}  // namespace

SampleRow group_part(const SampleRow& row) {
  SampleRow part;
  part.pending_bytes = row.pending_bytes;
  for (const auto member : kAdded) part.sample.*member = row.sample.*member;
  return part;
}

void add_to_group(std::optional<SampleRow>& sum, const SampleRow& part) {
  if (!sum) {
    sum = part;
    return;
  }
  add_to(sum->pending_bytes, part.pending_bytes);
  for (const auto member : kAdded) add_to(sum->sample.*member, part.sample.*member);
}

}  // namespace madvtrace
