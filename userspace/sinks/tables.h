// SPDX-License-Identifier: Apache-2.0
// The output tables: their header lines and how a row becomes a line. Columns are
// only ever appended; docs/csv-schema.md says what each means.
#pragma once

#include <string>
#include <string_view>

#include "model/rows.h"

namespace madvtrace {

inline constexpr std::string_view kEventsHeader =
    "ts_ns,mono_ns,pid,tid,comm,cgroup_id,call,advice,addr,len_bytes,ret,dur_ns,resident_bytes,lazyfree_bytes,"
    "swap_bytes,rss_delta_bytes,quality,cause,stack_id\n";
inline constexpr std::string_view kReleasesHeader =
    "release_id,pid,tid,call,advice,addr,len_bytes,resident_bytes,released_ts_ns,stage,fate,bytes,delay_min_ns,"
    "delay_max_ns,by,quality,cause,stack_id\n";
inline constexpr std::string_view kSamplesHeader =
    "ts_ns,mono_ns,pid,rss_bytes,rss_anon_bytes,rss_file_bytes,rss_shmem_bytes,swap_bytes,lazyfree_bytes,"
    "pending_bytes,page_tables_bytes,anon_huge_bytes,cgroup_usage_bytes,cgroup_working_set_bytes,"
    "cgroup_inactive_file_bytes,cgroup_limit_bytes,go_heap_sys_bytes,go_heap_inuse_bytes,go_heap_idle_bytes,"
    "go_heap_released_bytes,go_stack_inuse_bytes,go_next_gc_bytes,go_num_gc,go_pause_total_ns,go_mallocs,go_frees,"
    "cgroup_deferred_split_bytes,go_mapped_ready_bytes,go_memory_limit_bytes,go_gc_percent,go_metadata_sys_bytes,"
    "rss_heap_inuse_bytes,rss_heap_idle_bytes,rss_lazyfree_bytes,rss_stacks_bytes,rss_runtime_bytes,"
    "rss_file_backed_bytes,rss_other_anon_bytes,rss_unexplained_bytes\n";
inline constexpr std::string_view kStacksHeader = "stack_id,frames\n";
inline constexpr std::string_view kRssChangesHeader =
    "ts_ns,mono_ns,pid,cause,by,gained_bytes,lost_bytes,rss_delta_bytes,anon_delta_bytes,file_delta_bytes,"
    "shmem_delta_bytes,swap_delta_bytes,quality\n";

// Each appends one line, LF included.
void append_line(std::string& out, const CallRow& row);
void append_line(std::string& out, const ReleaseRow& row);
void append_line(std::string& out, const SampleRow& row);
void append_line(std::string& out, const StackRow& row);
void append_line(std::string& out, const RssRow& row);

}  // namespace madvtrace
