// SPDX-License-Identifier: Apache-2.0
#include "model/group_sums.h"

#include <array>
#include <optional>

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

void GroupSums::add(const SampleRow& row) {
  SampleRow& kept = rows_[row.pid];
  kept.pending_bytes = row.pending_bytes;
  for (const auto member : kAdded) kept.sample.*member = row.sample.*member;
}

SampleRow GroupSums::take() {
  SampleRow sum;
  bool first = true;
  for (const auto& [pid, row] : rows_) {
    if (first) {
      sum = row;
    } else {
      add_to(sum.pending_bytes, row.pending_bytes);
      for (const auto member : kAdded) add_to(sum.sample.*member, row.sample.*member);
    }
    first = false;
  }
  rows_.clear();
  return sum;
}

}  // namespace madvtrace
