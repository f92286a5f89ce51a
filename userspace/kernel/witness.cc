// SPDX-License-Identifier: Apache-2.0
#include "kernel/witness.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/page_range.h"

namespace madvtrace {
namespace {

constexpr std::size_t kAnonymous = 1;  // MM_ANONPAGES

const char* name(std::uint16_t number) {
  constexpr std::array<const char*, 7> kNames{"", "mmap", "munmap", "madvise", "process_madvise", "mremap", "brk"};
  return number < kNames.size() ? kNames.at(number) : "";
}

template <class T>
std::optional<T> read(RecordBytes record) {
  if (record.size() != sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, record.data(), sizeof(value));
  return value;
}

}  // namespace

void Witness::on_record(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return;
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.kind == WIRE_RELEASE_BEGIN || header.kind == WIRE_CALL) return on_call(record);
  if (header.kind == WIRE_RELEASE_END) return on_end(header.tid);
  if (header.kind == WIRE_RSS_CHANGES) return on_rss(record);
  if (header.kind == WIRE_RECLAIMED) return on_reclaimed(record);
  if (header.kind == WIRE_FORK) seen_.insert("sched:sched_process_fork");
  if (header.kind == WIRE_EXEC) seen_.insert("sched:sched_process_exec");
  if (header.kind == WIRE_EXIT) seen_.insert("sched:sched_process_exit");
  if (header.kind == WIRE_STACK) seen_.insert("user stacks");
  if (header.kind == WIRE_GC_START || header.kind == WIRE_GC_END) ++gc_marks_;
  if (header.kind == WIRE_REFAULT) ++refaults_;
}

void Witness::on_call(RecordBytes record) {
  const auto call = read<wire_call>(record);
  if (!call) return;
  seen_.insert(fmt::format("syscalls:sys_enter_{}", name(call->syscall)));
  // A release's end does not name the call: it is the one that its thread began last.
  last_calls_[call->header.tid] = call->syscall;
  if (call->header.kind == WIRE_CALL) on_end(call->header.tid);
  // Threads that libraries start, to probe for features, give their stacks back.
  const bool is_checked = call->syscall == WIRE_MADVISE && call->range_bytes == kGivenBackPages * kPageBytes;
  if (is_checked && (call->walk.flags & WIRE_WALK_DONE) != 0) walked_pages_ = call->walk.resident_pages;
}

void Witness::on_end(std::uint32_t tid) { seen_.insert(fmt::format("syscalls:sys_exit_{}", name(last_calls_[tid]))); }

// What it says is cumulative.
void Witness::on_rss(RecordBytes record) {
  const auto rss = read<wire_rss>(record);
  if (!rss) return;
  if (rss->cause == WIRE_RSS_FAULT) faulted_pages_ = rss->gained_pages[kAnonymous];
  if (rss->cause == WIRE_RSS_RELEASE) released_pages_ = rss->lost_pages[kAnonymous];
}

void Witness::on_reclaimed(RecordBytes record) {
  if (const auto reclaimed = read<wire_reclaimed>(record)) reclaimed_pages_ += reclaimed->pages;
}

}  // namespace madvtrace
