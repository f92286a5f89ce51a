// SPDX-License-Identifier: Apache-2.0
#include "model/residency.h"

#include <algorithm>

#include "bpf/calls.h"
#include "model/advice.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMapLocked = 0x2000;
constexpr std::uint64_t kMapPopulate = 0x8000;
// Of a 57-bit address space. A hostile stream may name one range any number of times;
// in bytes a sum must still fit.
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 45;

std::uint64_t to_bytes(std::uint64_t pages) { return pages * kPageBytes; }

std::int64_t bytes_between(const Walk& from, const Walk& to) {
  return static_cast<std::int64_t>(to_bytes(to.resident_pages)) -
         static_cast<std::int64_t>(to_bytes(from.resident_pages));
}

Residency before_only(const Walk& before) {
  Residency known;
  if (!before.done) return known;
  known.resident_bytes = to_bytes(before.resident_pages);
  if (before.sampled) {
    known.quality = Quality::kSampled;
    return known;
  }
  known.swap_bytes = to_bytes(before.swap_pages);
  if (before.file || before.clean_pages == 0) {
    known.lazyfree_bytes = 0;
  } else if (!before.clean_unknown) {
    known.lazyfree_bytes = to_bytes(before.clean_pages);
  }
  known.quality = before.capped ? Quality::kBounded : Quality::kExact;
  return known;
}

void weaken(Residency& known, Quality quality) {
  if (known.quality && *known.quality < quality) known.quality = quality;
}

// Whether success alone says what became of the pages.
enum class Outcome { kAllGone, kAllStay, kUnsaid };

Outcome outcome_of_success(const CallFields& call) {
  switch (call.kind) {
    case CallKind::kMunmap:
    case CallKind::kMremap:
    case CallKind::kBrk:
      return Outcome::kAllGone;
    case CallKind::kMmap:
      return (call.args[3] & (kMapPopulate | kMapLocked)) != 0 ? Outcome::kUnsaid : Outcome::kAllGone;
    case CallKind::kMadvise:
    case CallKind::kProcessMadvise:
      switch (advice_of(call).value_or(0)) {
        case kMadvDontneed:
        case kMadvDontneedLocked:
        case kMadvRemove:
        case kMadvGuardInstall:
          return Outcome::kAllGone;
        case kMadvFree:
          return Outcome::kAllStay;
        default:
          return Outcome::kUnsaid;
      }
    default:  // markers are no calls
      return Outcome::kUnsaid;
  }
}

}  // namespace

Walk operator+(const Walk& left, const Walk& right) {
  const auto pages = [](std::uint64_t a, std::uint64_t b) { return std::min(a + b, kMostPages); };
  Walk sum;
  sum.resident_pages = pages(left.resident_pages, right.resident_pages);
  sum.clean_pages = pages(left.clean_pages, right.clean_pages);
  sum.huge_pages = pages(left.huge_pages, right.huge_pages);
  sum.swap_pages = pages(left.swap_pages, right.swap_pages);
  sum.done = left.done && right.done;
  sum.capped = left.capped || right.capped;
  sum.sampled = left.sampled || right.sampled;
  sum.file = left.file && right.file;
  // A file's clean pages beside lazily freed ones cannot be told apart in the sum.
  const bool mixed = left.file != right.file && left.clean_pages != 0 && right.clean_pages != 0;
  sum.file = sum.file || (left.file && right.clean_pages == 0) || (right.file && left.clean_pages == 0);
  sum.clean_unknown = left.clean_unknown || right.clean_unknown || mixed;
  return sum;
}

bool call_failed(const CallFields& call, std::int64_t ret) {
  if (call.kind == CallKind::kBrk) return brk_failed(call.args[0], static_cast<std::uint64_t>(ret));
  return is_errno(ret);
}

std::optional<std::int32_t> advice_of(const CallFields& call) {
  if (call.kind == CallKind::kMadvise) return static_cast<std::int32_t>(call.args[2]);
  if (call.kind == CallKind::kProcessMadvise) return static_cast<std::int32_t>(call.args[3]);
  return std::nullopt;
}

Effect effect_of_release(const CallFields& call, std::int64_t ret, const Walk& before, const Walk& after) {
  constexpr std::int64_t kEnomem = -12;
  const bool lazy = advice_of(call) == kMadvFree;
  if (!call_failed(call, ret)) {
    switch (outcome_of_success(call)) {
      case Outcome::kAllGone:
        return Effect::kTaken;
      case Outcome::kAllStay:
        return Effect::kLazilyFreed;
      case Outcome::kUnsaid:
        break;
    }
    // What lay below a populated mapping is gone all the same.
    if (call.kind == CallKind::kMmap) return Effect::kTaken;
  }
  if (lazy) {
    // Over a hole the mapped parts are done first; other errors stop at the first
    // mapping that they concern.
    const bool done = ret == kEnomem || (after.done && after.clean_pages > before.clean_pages);
    return done ? Effect::kLazilyFreed : Effect::kNone;
  }
  if (!after.done || after.resident_pages >= before.resident_pages) return Effect::kNone;
  return after.resident_pages == 0 ? Effect::kTaken : Effect::kPartlyTaken;
}

Residency residency_of_release(const CallFields& call, std::int64_t ret, const Walk& before, const Walk& after,
                               bool overlapped) {
  Residency known = before_only(before);
  if (!known.resident_bytes) return known;
  const auto resident = static_cast<std::int64_t>(*known.resident_bytes);
  if (call.ranges_missing || overlapped) weaken(known, Quality::kBounded);

  const bool failed = call_failed(call, ret);
  const Outcome outcome = failed ? Outcome::kUnsaid : outcome_of_success(call);
  if (outcome == Outcome::kAllStay || (resident == 0 && !after.done)) {
    known.rss_delta_bytes = 0;
  } else if (outcome == Outcome::kAllGone && !after.done) {
    known.rss_delta_bytes = -resident;
  } else if (after.done) {
    known.rss_delta_bytes = bytes_between(before, after);
    if (after.sampled) weaken(known, Quality::kSampled);
    // Nothing done, or everything gone, is what a call itself does; anything between
    // may be the faults of other threads as well.
    const bool plain = *known.rss_delta_bytes == 0 || after.resident_pages == 0;
    if (!plain || after.capped) weaken(known, Quality::kBounded);
  }
  return known;
}

Residency residency_of_plain(const CallFields& call, std::int64_t ret, const Walk& after) {
  Residency known;
  if (call.remote) return known;
  if (call_failed(call, ret)) {
    known.rss_delta_bytes = 0;
    known.quality = Quality::kExact;
    return known;
  }
  if (after.done) {
    known.rss_delta_bytes = static_cast<std::int64_t>(to_bytes(after.resident_pages));
    known.quality = after.sampled ? Quality::kSampled : after.capped ? Quality::kBounded : Quality::kExact;
    return known;
  }
  // Reserving address space, and advice such as MADV_NOHUGEPAGE, moves no page.
  known.rss_delta_bytes = 0;
  known.quality = Quality::kExact;
  return known;
}

Residency residency_of_unfinished(const Walk& before) {
  Residency known = before_only(before);
  weaken(known, Quality::kBounded);
  return known;
}

}  // namespace madvtrace
