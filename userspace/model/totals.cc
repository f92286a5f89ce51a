// SPDX-License-Identifier: Apache-2.0
#include "model/totals.h"

#include "base/arithmetic.h"
#include "model/advice.h"
#include "model/residency.h"

namespace madvtrace {
namespace {

std::uint64_t released_bytes(const CallRow& row, bool failed) {
  if (row.advice == kMadvFree) return failed ? 0 : row.resident_bytes.value_or(0);
  const std::int64_t delta = row.rss_delta_bytes.value_or(0);
  return delta < 0 ? 0 - static_cast<std::uint64_t>(delta) : 0;
}

}  // namespace

void add_call(CallTotalsByKind& calls, const CallRow& row) {
  if (is_marker(row.call)) return;
  CallTotals& totals = calls[{row.call, row.advice}];
  ++totals.calls;
  // brk has no errors: it answers with where the break is.
  const bool failed = row.ret && is_errno(*row.ret);
  if (failed) {
    ++totals.failed;
  } else {
    totals.len_bytes += row.len_bytes.value_or(0);
  }
  if (row.resident_bytes) {
    totals.resident_bytes += *row.resident_bytes;
  } else {
    ++totals.unknown_resident;
  }
  totals.rss_delta_bytes = wrapping_sum(totals.rss_delta_bytes, row.rss_delta_bytes.value_or(0));
  totals.dur_ns += row.dur_ns.value_or(0);
  CauseTotals& cause = totals.causes.at(row.cause ? static_cast<std::size_t>(*row.cause) : kCauses);
  ++cause.calls;
  cause.released_bytes += released_bytes(row, failed);
}

std::uint64_t given_back_bytes(const CallTotalsByKind& calls) {
  std::uint64_t bytes = 0;
  for (const auto& [kind, totals] : calls) {
    const bool lazy = kind.second == kMadvFree;
    bytes += lazy                         ? totals.resident_bytes
             : totals.rss_delta_bytes < 0 ? 0 - static_cast<std::uint64_t>(totals.rss_delta_bytes)
                                          : 0;
  }
  return bytes;
}

void add_totals(CallTotals& sum, const CallTotals& part) {
  sum.calls += part.calls;
  sum.failed += part.failed;
  sum.len_bytes += part.len_bytes;
  sum.resident_bytes += part.resident_bytes;
  sum.rss_delta_bytes = wrapping_sum(sum.rss_delta_bytes, part.rss_delta_bytes);
  sum.unknown_resident += part.unknown_resident;
  sum.dur_ns += part.dur_ns;
  for (std::size_t i = 0; i < sum.causes.size(); ++i) {
    sum.causes.at(i).calls += part.causes.at(i).calls;
    sum.causes.at(i).released_bytes += part.causes.at(i).released_bytes;
  }
}

}  // namespace madvtrace
