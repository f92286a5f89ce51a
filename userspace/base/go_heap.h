// SPDX-License-Identifier: Apache-2.0
// What the Go runtime says of its own memory (its books), as golang/books.h reads it. The
// names are those of runtime.MemStats where there is one. Empty: not known.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>

#include "base/field.h"

namespace madvtrace {

// GoHeap::memory_limit_bytes of a program without one (math.MaxInt64, as in the runtime).
inline constexpr std::uint64_t kNoGoMemoryLimit = INT64_MAX;

struct GoHeap {
  // HeapSys = HeapInuse + HeapIdle, HeapReleased <= HeapIdle: always so in what is given out.
  std::optional<std::uint64_t> heap_sys_bytes;
  std::optional<std::uint64_t> heap_inuse_bytes;
  std::optional<std::uint64_t> heap_idle_bytes;
  // What the runtime believes; lazily freed pages count as released.
  std::optional<std::uint64_t> heap_released_bytes;
  std::optional<std::uint64_t> stack_inuse_bytes;
  // Also empty if there is no goal: GOGC=off and no memory limit.
  std::optional<std::uint64_t> next_gc_bytes;
  std::optional<std::uint64_t> num_gc;  // completed cycles
  std::optional<std::uint64_t> pause_total_ns;
  // Objects since the start. They lag behind what ReadMemStats would say by what the
  // allocation caches of the Ps hold back: up to some thousand small objects a P.
  std::optional<std::uint64_t> mallocs;
  std::optional<std::uint64_t> frees;

  // Not in runtime.MemStats.
  // >= 1.19: all memory of the runtime that is mapped and not released.
  std::optional<std::uint64_t> mapped_ready_bytes;
  // >= 1.19: GOMEMLIMIT or SetMemoryLimit, in force now; kNoGoMemoryLimit: none.
  std::optional<std::uint64_t> memory_limit_bytes;
  std::optional<std::int64_t> gc_percent;  // GOGC or SetGCPercent, in force now; -1: off
  // Memory of the runtime outside of its arenas: MSpanSys + MCacheSys + BuckHashSys + OtherSys
  // and of GCSys what is mapped apart. Up to 1.15 the next one is counted in here as well.
  std::optional<std::uint64_t> metadata_sys_bytes;
  // >= 1.16: in arenas, but neither heap nor stacks: work buffers of the collector.
  std::optional<std::uint64_t> gc_work_inuse_bytes;
};

inline constexpr std::tuple kGoHeapFields{
    Field{"heap_sys_bytes", &GoHeap::heap_sys_bytes},
    Field{"heap_inuse_bytes", &GoHeap::heap_inuse_bytes},
    Field{"heap_idle_bytes", &GoHeap::heap_idle_bytes},
    Field{"heap_released_bytes", &GoHeap::heap_released_bytes},
    Field{"stack_inuse_bytes", &GoHeap::stack_inuse_bytes},
    Field{"next_gc_bytes", &GoHeap::next_gc_bytes},
    Field{"num_gc", &GoHeap::num_gc},
    Field{"pause_total_ns", &GoHeap::pause_total_ns},
    Field{"mallocs", &GoHeap::mallocs},
    Field{"frees", &GoHeap::frees},
    Field{"mapped_ready_bytes", &GoHeap::mapped_ready_bytes},
    Field{"memory_limit_bytes", &GoHeap::memory_limit_bytes},
    Field{"gc_percent", &GoHeap::gc_percent},
    Field{"metadata_sys_bytes", &GoHeap::metadata_sys_bytes},
    Field{"gc_work_inuse_bytes", &GoHeap::gc_work_inuse_bytes},
};

}  // namespace madvtrace
