// SPDX-License-Identifier: Apache-2.0
#include "targets/reclaim_watch.h"

#include <cstddef>
#include <utility>

namespace madvtrace {
namespace {

bool under_way(const ReclaimSum& sum, std::uint64_t now_ns) {
  return sum.begun > sum.ended && now_ns < sum.begun_ns + ReclaimWatch::kLongestNs;
}

}  // namespace

std::vector<Reclaim> ReclaimWatch::notice(const ReclaimSums& sums, const AllTargets& targets, std::uint64_t now_ns) {
  std::vector<Reclaim> reclaims;
  const auto compare = [&](Reclaimer by, const ReclaimSum& before, const ReclaimSum& sum, std::uint32_t pid) {
    Reclaim reclaim{.by = by, .from_ns = noticed_ns_, .to_ns = now_ns, .pages = std::nullopt, .pid = pid};
    const bool quiet = by == Reclaimer::kKswapd ? sum == before : sum.pages == before.pages;
    if (!under_way(sum, now_ns)) {
      if (quiet) return;
      if (by != Reclaimer::kKswapd) reclaim.pages = sum.pages - before.pages;
    }
    reclaims.push_back(reclaim);
  };
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto by = static_cast<Reclaimer>(i);
    if (by != Reclaimer::kSelf) {
      compare(by, sums_.at(i), sums.at(i), /*pid=*/0);
    } else if (sums.at(i) != sums_.at(i) || under_way(sums.at(i), now_ns)) {
      for (const OfTarget& target : targets()) {
        compare(by, target.noticed, target.now, target.pid);
        target.noticed = target.now;
      }
    }
  }
  sums_ = sums;
  noticed_ns_ = now_ns;
  return reclaims;
}

}  // namespace madvtrace
