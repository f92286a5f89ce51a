// SPDX-License-Identifier: Apache-2.0
#include "model/reclaims.h"

#include <algorithm>

namespace madvtrace {
namespace {

// Stands for "not known": more than any number of pages that a sum of known ones can be.
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 52;

std::size_t index(Reclaimer by) { return static_cast<std::size_t>(by); }

}  // namespace

void Reclaims::add(const Reclaim& reclaim) {
  Entry added{.reclaim = reclaim, .sums = kept_.empty() ? Sums{} : kept_.back().sums};
  // Sums of a hostile stream may wrap; they are differences that are used.
  added.sums.at(index(reclaim.by)) += std::min(reclaim.pages.value_or(kUnlimited), kUnlimited);
  // In order of time, whatever the stream says, so that it can be searched.
  if (!kept_.empty()) {
    added.reclaim.from_ns = std::max(added.reclaim.from_ns, kept_.back().reclaim.from_ns);
    added.reclaim.to_ns = std::max(added.reclaim.to_ns, kept_.back().reclaim.to_ns);
  }
  kept_.push_back(added);
  if (kept_.size() <= kKept) return;
  dropped_to_ns_ = kept_.front().reclaim.to_ns;
  kept_.pop_front();
  ++first_kept_;
}

Reclaims::Answer Reclaims::who(std::uint32_t pid, const Moment& moment) const {
  if (first_kept_ != 0 && moment.from_ns <= dropped_to_ns_) return {};
  const auto first = std::partition_point(kept_.begin(), kept_.end(),
                                          [&](const Entry& e) { return e.reclaim.to_ns < moment.from_ns; });
  const auto end =
      std::partition_point(first, kept_.end(), [&](const Entry& e) { return e.reclaim.from_ns <= moment.to_ns; });
  const Span span{first_kept_ + static_cast<std::uint64_t>(first - kept_.begin()),
                  first_kept_ + static_cast<std::uint64_t>(end - kept_.begin())};
  if (span.first == span.end) return {};
  const Sums pages = sums(pid, span);
  const auto* const most = std::max_element(pages.begin(), pages.end());
  if (*most == 0) return {};
  return {.by = static_cast<Reclaimer>(most - pages.begin()), .span = span};
}

Reclaims::Sums Reclaims::sums(std::uint32_t pid, const Span& span) const {
  Sums pages = entry(span.end - 1).sums;
  const Entry& before = entry(span.first);
  for (std::size_t i = 0; i < pages.size(); ++i) pages[i] -= before.sums[i];
  pages.at(index(before.reclaim.by)) += std::min(before.reclaim.pages.value_or(kUnlimited), kUnlimited);
  std::uint64_t& self = pages.at(index(Reclaimer::kSelf));
  if (self == 0) return pages;
  // Another process's own reclaim is direct reclaim like anybody's.
  std::uint64_t own = 0;
  for (std::uint64_t number = span.first; number < span.end; ++number) {
    const Reclaim& reclaim = entry(number).reclaim;
    if (reclaim.by == Reclaimer::kSelf && reclaim.pid == pid) own += reclaim.pages.value_or(0);
  }
  pages.at(index(Reclaimer::kDirect)) += self - own;
  self = own;
  return pages;
}

Reclaims::Pages Reclaims::pages(std::uint32_t pid, Reclaimer by, const Span& span) const {
  if (span.first >= span.end || span.first < first_kept_) return {};
  const Sums sum = sums(pid, span);
  Pages pages{.by = sum.at(index(by))};
  for (std::size_t i = 0; i < sum.size(); ++i) {
    if (i != index(by)) pages.others += sum[i];
  }
  return pages;
}

}  // namespace madvtrace
