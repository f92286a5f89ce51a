// SPDX-License-Identifier: Apache-2.0
#include "model/waterfall.h"

#include <algorithm>

namespace madvtrace {
namespace {

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from - std::min(from, what); }

// The parts of what is resident in the arenas, lazily freed pages left out; what the parts
// leave over.
std::uint64_t divide_arenas(Waterfall& parts, const GoHeap& heap, std::uint64_t resident) {
  const auto take = [&resident](std::uint64_t wanted) {
    const std::uint64_t got = std::min(wanted, resident);
    resident -= got;
    return got;
  };
  parts.stacks_bytes = take(heap.stack_inuse_bytes.value_or(0));
  parts.runtime_bytes = take(heap.gc_work_inuse_bytes.value_or(0));
  if (heap.heap_idle_bytes && heap.heap_released_bytes) {
    parts.heap_idle_bytes = take(less(*heap.heap_idle_bytes, *heap.heap_released_bytes));
  }
  if (heap.heap_inuse_bytes) parts.heap_inuse_bytes = take(*heap.heap_inuse_bytes);
  return resident;
}

}  // namespace

std::optional<Waterfall> waterfall_of(const Sample& sample) {
  if (!sample.rss_bytes || !sample.rss_anon_bytes || !sample.rss_file_bytes) return std::nullopt;
  Waterfall parts{.rss_bytes = *sample.rss_bytes,
                  .lazyfree_bytes = sample.lazyfree_bytes,
                  .file_bytes = *sample.rss_file_bytes + sample.rss_shmem_bytes.value_or(0)};
  // Anonymous memory that no part has claimed yet.
  std::uint64_t anon = less(*sample.rss_anon_bytes, sample.lazyfree_bytes.value_or(0));
  if (sample.go.heap_inuse_bytes) {
    const ResidentIn& arenas = sample.anon.go_arenas;
    // Without a walk of the arenas all that the books claim is taken to be resident.
    const std::uint64_t in_arenas = less(arenas.resident_bytes.value_or(anon), arenas.lazyfree_bytes.value_or(0));
    const std::uint64_t left = divide_arenas(parts, sample.go, in_arenas);
    anon = arenas.resident_bytes ? less(anon, in_arenas) : std::min(anon, left);
    // What is mapped apart from the arenas and is not C's heap can be the runtime's.
    const std::uint64_t apart = less(anon, sample.anon.malloc_heap.resident_bytes.value_or(0));
    const std::uint64_t metadata = std::min(sample.go.metadata_sys_bytes.value_or(0), apart);
    parts.runtime_bytes = parts.runtime_bytes.value_or(0) + metadata;
    anon -= metadata;
  }
  parts.other_anon_bytes = anon;
  const std::uint64_t sum = parts.heap_inuse_bytes.value_or(0) + parts.heap_idle_bytes.value_or(0) +
                            parts.lazyfree_bytes.value_or(0) + parts.stacks_bytes.value_or(0) +
                            parts.runtime_bytes.value_or(0) + parts.file_bytes + parts.other_anon_bytes;
  parts.unexplained_bytes = static_cast<std::int64_t>(parts.rss_bytes - sum);
  return parts;
}

}  // namespace madvtrace
