// SPDX-License-Identifier: Apache-2.0
#include "targets/sampler.h"

#include <vector>

#include "base/clock.h"
#include "procfs/maps.h"
#include "procfs/status.h"

namespace madvtrace {
namespace {

ResidentIn resident_in(const WalkTotals& totals) {
  return {.resident_bytes = totals.resident_pages * kPageBytes, .lazyfree_bytes = totals.clean_pages * kPageBytes};
}

}  // namespace

std::optional<Sample> Sampler::sample(Target& target, bool always) {
  const std::uint32_t pid = target.pid;
  Sample sample;
  sample.stamp.mono_ns = mono_now_ns();
  sample.stamp.pid = pid;
  const Result<ProcessStatus> status = read_status(proc_, static_cast<pid_t>(pid));
  // A zombie has no memory any more: that is its end, not a sample of zeros.
  if (!status || !status->vm_rss_bytes) return std::nullopt;
  sample.rss_bytes = status->vm_rss_bytes;
  sample.rss_anon_bytes = status->rss_anon_bytes;
  sample.rss_file_bytes = status->rss_file_bytes;
  sample.rss_shmem_bytes = status->rss_shmem_bytes;
  sample.swap_bytes = status->swap_bytes;
  sample.page_tables_bytes = status->page_tables_bytes;
  sample.rss_locked_bytes = status->vm_lck_bytes;
  sample.group = groups_.charge_of(pid);
  GoRuntime::Reading reading;
  if (target.runtime) reading = target.runtime->read(status->vm_size_bytes);
  sample.go = reading.heap;
  sample.go_dropped = std::move(reading.dropped);
  if (walker_ != nullptr && (always || budget_.allows())) {
    const std::uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    walk(pid, reading.arenas, sample);
    budget_.spend(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns);
  }
  return sample;
}

SplitRange split_range(const AddressRange& range, const std::vector<AddressRange>& others) {
  SplitRange split;
  AddressRange left = range;
  for (const AddressRange& other : others) {
    const AddressRange common = left.intersection(other);
    if (common.empty()) continue;
    if (left.begin < common.begin) split.outside.push_back({left.begin, common.begin});
    split.inside.push_back(common);
    left.begin = common.end;
  }
  if (!left.empty()) split.outside.push_back(left);
  return split;
}

void Sampler::walk(std::uint32_t pid, const std::vector<AddressRange>& arenas, Sample& sample) {
  const Result<MapsText> maps = read_maps(proc_, static_cast<pid_t>(pid));
  if (!maps) return;
  std::vector<AddressRange> in_arenas;
  std::vector<AddressRange> malloc_heap;
  std::vector<AddressRange> others;
  for (const Mapping& mapping : maps->mappings) {
    if (!is_anonymous_private(mapping)) continue;
    if (mapping.path == "[heap]") {
      malloc_heap.push_back(mapping.range);
      continue;
    }
    const SplitRange split = split_range(mapping.range, arenas);
    in_arenas.insert(in_arenas.end(), split.inside.begin(), split.inside.end());
    others.insert(others.end(), split.outside.begin(), split.outside.end());
  }
  const std::optional<WalkTotals> heap = walker_->sum(pid, in_arenas);
  const std::optional<WalkTotals> brk = walker_->sum(pid, malloc_heap);
  const std::optional<WalkTotals> rest = walker_->sum(pid, others);
  if (!heap || !brk || !rest) return;
  sample.lazyfree_bytes = (heap->clean_pages + brk->clean_pages + rest->clean_pages) * kPageBytes;
  sample.anon_huge_bytes = (heap->huge_pages + brk->huge_pages + rest->huge_pages) * kPageBytes;
  if (!arenas.empty()) sample.anon.go_arenas = resident_in(*heap);
  sample.anon.malloc_heap = resident_in(*brk);
}

}  // namespace madvtrace
