// SPDX-License-Identifier: Apache-2.0
#include "model/call_assembler.h"

#include <algorithm>

#include "model/residency.h"

namespace madvtrace {
namespace {

constexpr std::size_t kMostPagesKept = 64;  // of 2 MiB each

// What the row shows as the call's range: its arguments as the program passed them.
void fill_arguments(CallRow& row, const CallFields& call, const AddressRange& range) {
  row.advice = advice_of(call);
  row.addr = call.args[0];
  row.len_bytes = call.args[1];
  switch (call.kind) {
    case CallKind::kBrk:
      // Growing, only the new end is known.
      row.len_bytes = range.empty() ? std::nullopt : std::optional(range.bytes());
      break;
    case CallKind::kProcessMadvise:
      row.addr.reset();
      row.len_bytes.reset();
      if (!range.empty()) {
        row.addr = range.begin;
        row.len_bytes = range.bytes();
      }
      break;
    default:
      break;
  }
}

AssembledCall assemble(const Stamp& stamp, const CallFields& call, const AddressRange& range,
                       std::optional<std::int64_t> ret, std::uint64_t end_ns, const Residency& known) {
  AssembledCall assembled{.stack_key = call.stack_key};
  CallRow& row = assembled.row;
  row.mono_ns = call.begin_ns;
  row.pid = stamp.pid;
  row.tid = stamp.tid;
  row.comm = call.comm;
  row.cgroup_id = call.cgroup_id;
  row.call = call.kind;
  fill_arguments(row, call, range);
  row.ret = ret;
  if (ret && end_ns >= call.begin_ns) row.dur_ns = end_ns - call.begin_ns;
  row.resident_bytes = known.resident_bytes;
  row.lazyfree_bytes = known.lazyfree_bytes;
  row.swap_bytes = known.swap_bytes;
  row.rss_delta_bytes = known.rss_delta_bytes;
  row.quality = known.quality;
  return assembled;
}

// Others have all their ranges in the begin.
bool may_have_further_ranges(const CallFields& call) {
  return call.kind == CallKind::kProcessMadvise || call.kind == CallKind::kMremap;
}

// One row for all ranges of a process_madvise: the first address, the sum of the lengths.
AddressRange range_shown(const CallFields& call, std::span<const AddressRange> ranges) {
  AddressRange shown = ranges.front();
  if (call.kind != CallKind::kProcessMadvise) return shown;
  std::uint64_t bytes = 0;
  for (const AddressRange& range : ranges) bytes += range.bytes();
  shown.end = shown.begin + bytes;
  return shown;
}

}  // namespace

void CallAssembler::mark_overlaps(const Key& key, Open& open, const AddressRange& range) {
  if (range.empty()) return;
  for (auto other = open_.lower_bound({key.first, 0}); other != open_.end() && other->first.first == key.first;
       ++other) {
    if (other->first == key) continue;
    const auto& ranges = other->second.ranges;
    if (std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& r) { return r.overlaps(range); })) {
      other->second.overlapped = true;
      open.overlapped = true;
    }
  }
}

void CallAssembler::begin_event() {
  completed_.clear();
  if (returned_) keep(std::move(returned_));
}

void CallAssembler::keep(OpenCalls::node_type node) {
  if (node.mapped().pages.size() <= kMostPagesKept) spare_.push_back(std::move(node));
}

// A release takes no memory from the system, but for those that are the first to be open
// at the same time as so many others.
CallAssembler::Open& CallAssembler::open(const Key& key) {
  if (spare_.empty()) return open_[key];
  OpenCalls::node_type node = std::move(spare_.back());
  spare_.pop_back();
  node.key() = key;
  return open_.insert(std::move(node)).position->second;
}

void CallAssembler::take_unfinished(const Key& key) {
  OpenCalls::node_type node = open_.extract(key);
  if (!node) return;
  const Open& open = node.mapped();
  completed_.push_back(assemble(open.begin.stamp, open.begin.call, range_shown(open.begin.call, open.ranges),
                                std::nullopt, 0, residency_of_unfinished(open.before)));
  keep(std::move(node));
}

CallAssembler::Completed CallAssembler::on_begin(const ReleaseBegin& begin) {
  begin_event();
  const Key key{begin.stamp.pid, begin.stamp.tid};
  take_unfinished(key);
  Open& call = open(key);
  call.begin = begin;
  call.before = begin.walk;
  call.ranges.assign(1, begin.range);
  call.pages.clear();
  call.overlapped = false;
  mark_overlaps(key, call, begin.range);
  return completed_;
}

void CallAssembler::on_range(const ReleaseRange& range) {
  const Key key{range.stamp.pid, range.stamp.tid};
  const auto found = open_.find(key);
  if (found == open_.end() || found->second.begin.call.begin_ns != range.begin_ns) {
    ++orphans_;
    return;
  }
  Open& open = found->second;
  // A record between them was lost: perhaps a range of this very call.
  if (range.stamp.lost != open.begin.stamp.lost) open.begin.call.ranges_missing = true;
  open.before = open.before + range.walk;
  open.ranges.push_back(range.range);
  mark_overlaps(key, open, range.range);
}

void CallAssembler::on_pages(const Pages& pages) {
  const auto found = open_.find({pages.stamp.pid, pages.stamp.tid});
  if (found == open_.end() || found->second.begin.call.begin_ns != pages.begin_ns) {
    ++orphans_;
    return;
  }
  found->second.pages.push_back(pages);
}

bool CallAssembler::under_way(std::uint32_t pid, const AddressRange& range) const {
  for (auto at = open_.lower_bound({pid, 0}); at != open_.end() && at->first.first == pid; ++at) {
    const Open& open = at->second;
    if (std::any_of(open.ranges.begin(), open.ranges.end(), [&](const AddressRange& r) { return r.overlaps(range); })) {
      return true;
    }
    // It may be moving its pages away.
    const CallFields& call = open.begin.call;
    if (call.kind == CallKind::kMremap && AddressRange::of_call(call.args[0], call.args[1]).overlaps(range))
      return true;
  }
  return false;
}

CallAssembler::Completed CallAssembler::on_end(const ReleaseEnd& end) {
  begin_event();
  const Key key{end.stamp.pid, end.stamp.tid};
  const auto found = open_.find(key);
  if (found == open_.end() || found->second.begin.call.begin_ns != end.begin_ns) {
    take_unfinished(key);
    ++orphans_;
    return completed_;
  }
  returned_ = open_.extract(found);
  Open& open = returned_.mapped();
  CallFields& call = open.begin.call;
  // A record between them was lost: perhaps its last range.
  if (end.stamp.lost != open.begin.stamp.lost && may_have_further_ranges(call)) call.ranges_missing = true;
  const Residency known = residency_of_release(call, end.ret, open.before, end.after, open.overlapped);
  completed_.push_back(
      assemble(open.begin.stamp, call, range_shown(call, open.ranges), end.ret, end.stamp.mono_ns, known));
  completed_.back().release = ReturnedRelease{.call = call,
                                              .ranges = open.ranges,
                                              .pages = open.pages,
                                              .before = open.before,
                                              .after = end.after,
                                              .ret = end.ret,
                                              .end_ns = end.stamp.mono_ns};
  return completed_;
}

CallAssembler::Completed CallAssembler::on_plain(const PlainCall& call) {
  begin_event();
  take_unfinished({call.stamp.pid, call.stamp.tid});
  completed_.push_back(assemble(call.stamp, call.call, call.range, call.ret, call.stamp.mono_ns,
                                residency_of_plain(call.call, call.ret, call.walk)));
  return completed_;
}

CallAssembler::Completed CallAssembler::on_process_gone(std::uint32_t pid) {
  begin_event();
  for (auto at = open_.lower_bound({pid, 0}); at != open_.end() && at->first.first == pid;) {
    const Key key = (at++)->first;
    take_unfinished(key);
  }
  return completed_;
}

CallAssembler::Completed CallAssembler::on_trace_end() {
  begin_event();
  while (!open_.empty()) take_unfinished(Key{open_.begin()->first});
  return completed_;
}

}  // namespace madvtrace
