// SPDX-License-Identifier: Apache-2.0
#include "model/rss_ledger.h"

#include "base/arithmetic.h"
#include "base/page_range.h"

namespace madvtrace {
namespace {

using Member = std::uint64_t RssPages::*;
constexpr std::array<Member, 4> kMembers{&RssPages::file, &RssPages::anon, &RssPages::swap, &RssPages::shmem};

std::uint64_t rss_pages(const RssPages& pages) { return pages.file + pages.anon + pages.shmem; }

bool any_less(const RssPages& a, const RssPages& b) {
  return a.file < b.file || a.anon < b.anon || a.swap < b.swap || a.shmem < b.shmem;
}

RssPages difference(const RssPages& a, const RssPages& b) {
  RssPages pages;
  for (const Member member : kMembers) pages.*member = a.*member - b.*member;
  return pages;
}

void add_pages(RssPages& sum, const RssPages& part) {
  for (const Member member : kMembers) sum.*member += part.*member;
}

std::int64_t delta_bytes(std::uint64_t gained_pages, std::uint64_t lost_pages) {
  return static_cast<std::int64_t>((gained_pages - lost_pages) * kPageBytes);
}

void add_known(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

void add_part(RssTotals::Part& sum, const RssTotals::Part& part) {
  sum.gained_bytes += part.gained_bytes;
  sum.lost_bytes += part.lost_bytes;
  sum.swap_delta_bytes = wrapping_sum(sum.swap_delta_bytes, part.swap_delta_bytes);
}

RssRow row_of(const RssPages& gained, const RssPages& lost) {
  return {.gained_bytes = rss_pages(gained) * kPageBytes,
          .lost_bytes = rss_pages(lost) * kPageBytes,
          .anon_delta_bytes = delta_bytes(gained.anon, lost.anon),
          .file_delta_bytes = delta_bytes(gained.file, lost.file),
          .shmem_delta_bytes = delta_bytes(gained.shmem, lost.shmem),
          .swap_delta_bytes = delta_bytes(gained.swap, lost.swap)};
}

}  // namespace

void RssTotals::add(const RssRow& row) {
  add_part(sources[{row.cause, row.by}],
           {.gained_bytes = row.gained_bytes, .lost_bytes = row.lost_bytes, .swap_delta_bytes = row.swap_delta_bytes});
}

void RssTotals::add(const RssTotals& other) {
  add_known(start_rss_bytes, other.start_rss_bytes);
  add_known(start_swap_bytes, other.start_swap_bytes);
  for (const auto& [source, part] : other.sources) add_part(sources[source], part);
  overdrawn_bytes += other.overdrawn_bytes;
}

std::size_t RssLedger::index_of(const RssChanges& event) {
  const auto cause = static_cast<std::size_t>(event.cause);
  return event.cause == RssCause::kReclaim ? cause + static_cast<std::size_t>(event.by.value_or(Reclaimer::kOther))
                                           : cause;
}

void RssLedger::on_begin(const RssBegin& event) {
  start_ = event.pages;
  counts_ = {};
  add_known(totals_.start_rss_bytes, rss_pages(event.pages) * kPageBytes);
  add_known(totals_.start_swap_bytes, event.pages.swap * kPageBytes);
}

std::optional<RssRow> RssLedger::on_changes(const RssChanges& event, bool after_loss) {
  if (event.cause == RssCause::kExit) return std::nullopt;
  Counts& counts = counts_.at(index_of(event));
  if (any_less(event.gained, counts.gained) || any_less(event.lost, counts.lost)) {
    start_.reset();
    counts = {};
  }
  RssRow row = row_of(difference(event.gained, counts.gained), difference(event.lost, counts.lost));
  row.mono_ns = event.stamp.mono_ns;
  row.cause = event.cause;
  row.by = event.by;
  counts = {.gained = event.gained, .lost = event.lost};
  return row_if_any(row, after_loss);
}

std::optional<RssRow> RssLedger::row_if_any(RssRow row, bool after_loss) {
  if (row.gained_bytes == 0 && row.lost_bytes == 0 && row.swap_delta_bytes == 0) return std::nullopt;
  row.pid = pid_;
  row.quality = after_loss || !start_ ? Quality::kAfterLoss : Quality::kBounded;
  totals_.add(row);
  return row;
}

std::optional<RssRow> RssLedger::on_memory_gone(std::uint64_t mono_ns, bool after_loss) {
  if (!start_) return std::nullopt;
  RssPages gained = *start_;
  RssPages lost;
  for (const Counts& counts : counts_) {
    add_pages(gained, counts.gained);
    add_pages(lost, counts.lost);
  }
  RssPages left;
  for (const Member member : kMembers) {
    const auto pages = static_cast<std::int64_t>(gained.*member - lost.*member);
    if (pages < 0) {
      totals_.overdrawn_bytes += (lost.*member - gained.*member) * kPageBytes;
    } else {
      left.*member = static_cast<std::uint64_t>(pages);
    }
  }
  RssRow row = row_of({}, left);
  row.mono_ns = mono_ns;
  row.cause = RssCause::kExit;
  return row_if_any(row, after_loss);
}

}  // namespace madvtrace
