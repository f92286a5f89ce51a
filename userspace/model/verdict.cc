// SPDX-License-Identifier: Apache-2.0
#include "model/verdict.h"

#include <algorithm>
#include <array>

#include "model/memory_limit.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSmallestGoalBytes = 4 * kMiB;  // heapMinimum at GOGC=100
constexpr std::uint64_t kCollectionsForGrowth = 3;
// A heap in use of at least so much of RSS is what RSS is.
constexpr double kHeapShare = 0.5;
constexpr double kCloseShare = 0.8;

struct Part {
  Reason reason;
  std::uint64_t bytes;
};

// Whether what survives has grown, collection after collection.
bool grows(const GoHeap& first, const GoHeap& last, Verdict& verdict) {
  if (!first.num_gc || !last.num_gc || *last.num_gc < *first.num_gc + kCollectionsForGrowth) return false;
  const auto before = live_heap_bytes(first);
  const auto after = live_heap_bytes(last);
  if (!before || !after || *after < *before + *before / 4 || *after < *before + kMiB) return false;
  verdict.grown_bytes = *after - *before;
  verdict.collections = *last.num_gc - *first.num_gc;
  return true;
}

std::optional<std::uint64_t> to_come(const GoHeap& heap, std::uint64_t resident_idle) {
  if (!heap.heap_inuse_bytes || !heap.heap_idle_bytes || !heap.heap_released_bytes || !heap.next_gc_bytes) {
    return std::nullopt;
  }
  const std::uint64_t retained = *heap.heap_inuse_bytes + *heap.heap_idle_bytes - *heap.heap_released_bytes;
  const std::uint64_t goal = std::max(*heap.next_gc_bytes, *heap.heap_inuse_bytes);
  const std::uint64_t kept = goal + goal / 10;
  return retained > kept ? std::min(retained - kept, resident_idle) : 0;
}

}  // namespace

std::optional<std::uint64_t> live_heap_bytes(const GoHeap& heap) {
  if (!heap.next_gc_bytes || !heap.gc_percent || *heap.gc_percent < 0) return std::nullopt;
  constexpr std::uint64_t kLargestPercent = 1'000'000;
  const auto percent = static_cast<std::uint64_t>(*heap.gc_percent);
  if (percent > kLargestPercent) return std::nullopt;
  if (*heap.next_gc_bytes <= kSmallestGoalBytes * percent / 100) return std::nullopt;
  if (heap.memory_limit_bytes.value_or(kNoGoMemoryLimit) < kNoGoMemoryLimit) return std::nullopt;
  return *heap.next_gc_bytes / (100 + percent) * 100;
}

std::optional<Verdict> verdict_of(const ProcessTotals& process) {
  if (!process.go.is_go || !process.last_sample) return std::nullopt;
  const std::optional<Waterfall> parts = waterfall_of(*process.last_sample);
  if (!parts || parts->rss_bytes == 0) return std::nullopt;
  const GoHeap& first = process.first_sample->go;
  const GoHeap& last = process.last_sample->go;
  Verdict verdict;
  if (first.num_gc && last.num_gc && *last.num_gc >= *first.num_gc) verdict.collections = *last.num_gc - *first.num_gc;

  std::array candidates{
      Part{Reason::kIdleHeap, parts->heap_idle_bytes.value_or(0)},
      Part{Reason::kLazyFree, parts->lazyfree_bytes.value_or(0)},
      Part{Reason::kStacks, parts->stacks_bytes.value_or(0)},
      Part{Reason::kOtherAnon, parts->other_anon_bytes},
      Part{Reason::kFiles, parts->file_bytes},
      Part{Reason::kUnexplained, static_cast<std::uint64_t>(std::max<std::int64_t>(parts->unexplained_bytes, 0))}};
  std::sort(candidates.begin(), candidates.end(), [](const Part& a, const Part& b) { return a.bytes > b.bytes; });
  const std::uint64_t in_use = parts->heap_inuse_bytes.value_or(0);
  if (static_cast<double>(in_use) >= kHeapShare * static_cast<double>(parts->rss_bytes) ||
      in_use >= candidates[0].bytes) {
    verdict.reason = in_use == 0 ? Reason::kUnknown : Reason::kHeapInUse;
    verdict.bytes = in_use;
    if (process.go_baseline && grows(*process.go_baseline, last, verdict)) verdict.reason = Reason::kHeapGrows;
    if (verdict.collections.value_or(0) < 2) verdict.thin = Thin::kShort;
    return verdict;
  }
  verdict.reason = candidates[0].reason;
  verdict.bytes = candidates[0].bytes;
  const std::uint64_t next = std::max(candidates[1].bytes, in_use);
  if (static_cast<double>(next) > kCloseShare * static_cast<double>(verdict.bytes)) verdict.thin = Thin::kManyAreClose;
  // What is free and was never touched is not in RSS.
  if (verdict.reason == Reason::kIdleHeap) verdict.to_come_bytes = to_come(last, verdict.bytes);
  // Without the books everything anonymous that is not lazily freed is one heap of things.
  if (!last.heap_inuse_bytes && verdict.reason == Reason::kOtherAnon) {
    verdict.reason = Reason::kUnknown;
    verdict.thin = Thin::kNoBooks;
  }
  return verdict;
}

}  // namespace madvtrace
