// SPDX-License-Identifier: Apache-2.0
#include "sinks/tables.h"

#include "model/names.h"
#include "model/waterfall.h"
#include "sinks/csv_field.h"

namespace madvtrace {
namespace {

std::optional<std::uint32_t> or_none(std::uint32_t pid) { return pid == 0 ? std::nullopt : std::optional(pid); }

void append_parts(CsvLine& line, const std::optional<Waterfall>& parts) {
  constexpr int kParts = 8;
  for (int i = 0; !parts && i < kParts; ++i) line.empty();
  if (!parts) return;
  line.number(parts->heap_inuse_bytes);
  line.number(parts->heap_idle_bytes);
  line.number(parts->lazyfree_bytes);
  line.number(parts->stacks_bytes);
  line.number(parts->runtime_bytes);
  line.number(parts->file_bytes);
  line.number(parts->other_anon_bytes);
  line.number(parts->unexplained_bytes);
}

}  // namespace

void append_line(std::string& out, const CallRow& row) {
  CsvLine line(out);
  line.number(row.ts_ns);
  line.number(row.mono_ns);
  line.number(or_none(row.pid));
  line.number(or_none(row.tid));
  line.text(comm_text(row.comm));
  line.number(row.cgroup_id);
  line.plain(call_name(row.call));
  line.plain(row.advice ? advice_name(*row.advice) : "");
  line.hex(row.addr);
  line.number(row.len_bytes);
  line.number(row.ret);
  line.number(row.dur_ns);
  line.number(row.resident_bytes);
  line.number(row.lazyfree_bytes);
  line.number(row.swap_bytes);
  line.number(row.rss_delta_bytes);
  line.plain(row.quality ? quality_name(*row.quality) : "");
  line.plain(row.cause ? cause_name(*row.cause) : "");
  line.number(row.stack_id);
  line.end();
}

void append_line(std::string& out, const ReleaseRow& row) {
  CsvLine line(out);
  line.number(row.release_id);
  line.number(row.pid);
  line.number(row.tid);
  line.plain(call_name(row.call));
  line.plain(row.advice ? advice_name(*row.advice) : "");
  line.hex(row.range.begin);
  line.number(row.range.bytes());
  line.number(row.resident_bytes);
  line.number(row.released_ts_ns);
  line.plain(is_return(row.fate) ? "return" : "leave");
  line.plain(fate_name(row.fate));
  line.number(row.bytes);
  line.number(row.delay_min_ns);
  line.number(row.delay_max_ns);
  line.plain(row.by ? reclaimer_name(*row.by) : "");
  line.plain(quality_name(row.quality));
  line.plain(row.cause ? cause_name(*row.cause) : "");
  line.number(row.stack_id);
  line.end();
}

void append_line(std::string& out, const SampleRow& row) {
  const Sample& sample = row.sample;
  CsvLine line(out);
  line.number(row.ts_ns);
  line.number(row.mono_ns);
  line.number(or_none(row.pid));
  line.number(sample.rss_bytes);
  line.number(sample.rss_anon_bytes);
  line.number(sample.rss_file_bytes);
  line.number(sample.rss_shmem_bytes);
  line.number(sample.swap_bytes);
  line.number(sample.lazyfree_bytes);
  line.number(row.pending_bytes);
  line.number(sample.page_tables_bytes);
  line.number(sample.anon_huge_bytes);
  line.number(sample.group.usage_bytes);
  line.number(sample.group.working_set_bytes);
  line.number(sample.group.inactive_file_bytes);
  line.number(sample.group.limit_bytes);
  const GoHeap& go = sample.go;
  line.number(go.heap_sys_bytes);
  line.number(go.heap_inuse_bytes);
  line.number(go.heap_idle_bytes);
  line.number(go.heap_released_bytes);
  line.number(go.stack_inuse_bytes);
  line.number(go.next_gc_bytes);
  line.number(go.num_gc);
  line.number(go.pause_total_ns);
  line.number(go.mallocs);
  line.number(go.frees);
  line.number(sample.group.deferred_split_bytes);
  line.number(go.mapped_ready_bytes);
  line.number(go.memory_limit_bytes);
  line.number(go.gc_percent);
  line.number(go.metadata_sys_bytes);
  // The sums of a group do not say what they are made of.
  append_parts(line, row.pid == 0 ? std::nullopt : waterfall_of(sample));
  line.end();
}

void append_line(std::string& out, const StackRow& row) {
  CsvLine line(out);
  line.number(row.stack_id);
  line.text(row.frames);
  line.end();
}

void append_line(std::string& out, const RssRow& row) {
  CsvLine line(out);
  line.number(row.ts_ns);
  line.number(row.mono_ns);
  line.number(row.pid);
  line.plain(rss_cause_name(row.cause));
  line.plain(row.by ? reclaimer_name(*row.by) : "");
  line.number(row.gained_bytes);
  line.number(row.lost_bytes);
  line.number(row.rss_delta_bytes());
  line.number(row.anon_delta_bytes);
  line.number(row.file_delta_bytes);
  line.number(row.shmem_delta_bytes);
  line.number(row.swap_delta_bytes);
  line.plain(quality_name(row.quality));
  line.end();
}

}  // namespace madvtrace
