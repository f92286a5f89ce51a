// SPDX-License-Identifier: Apache-2.0
// CallAssembler puts the begin, the further ranges and the end of a call into one row.
//
//   ReleaseBegin -> open, per thread -> ReleaseRange* -> ReleaseEnd -> row
//   PlainCall -> row
//
// Rows come out in the order in which the calls returned. A release that never
// returns (its thread was killed, its end was lost, the trace stopped) becomes a row
// with an empty ret when its thread is next heard of, its process exits, or the
// trace ends. It is pure, and keeps one entry for each thread that was in a release at the
// same time as others, used again for the next ones.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "model/event.h"
#include "model/rows.h"

namespace madvtrace {

// A release that has returned, for the ledger. Its ranges and pages are the assembler's:
// good until that is asked for the next call.
struct ReturnedRelease {
  CallFields call;
  std::span<const AddressRange> ranges;
  std::span<const Pages> pages;  // of processes that use MADV_FREE
  Walk before;
  Walk after;
  std::int64_t ret = 0;
  std::uint64_t end_ns = 0;
};

// A call's row without what only the whole trace knows (its clock, stack ids).
struct AssembledCall {
  CallRow row;
  std::uint64_t stack_key = 0;
  std::optional<ReturnedRelease> release;
};

class CallAssembler {
 public:
  // Each returns the calls that became complete, for an event of a thread at most two: an
  // unfinished one that the thread left behind, then its own. Good until the next is asked
  // for.
  using Completed = std::vector<AssembledCall>&;

  Completed on_begin(const ReleaseBegin& begin);
  void on_range(const ReleaseRange& range);
  void on_pages(const Pages& pages);
  Completed on_end(const ReleaseEnd& end);
  Completed on_plain(const PlainCall& call);
  Completed on_process_gone(std::uint32_t pid);  // exited, or its threads ended in an exec
  Completed on_trace_end();

  // Whether a release that has begun and not ended touches these addresses.
  bool under_way(std::uint32_t pid, const AddressRange& range) const;

  // Ends and ranges that no begin was seen for: the release began before the trace,
  // or its begin was lost.
  std::uint64_t orphans() const { return orphans_; }

 private:
  struct Open {
    ReleaseBegin begin;
    Walk before;                       // all ranges
    std::vector<AddressRange> ranges;  // all ranges
    std::vector<Pages> pages;
    bool overlapped = false;
  };
  using Key = std::pair<std::uint32_t, std::uint32_t>;  // pid, tid
  using OpenCalls = std::map<Key, Open>;

  void begin_event();
  Open& open(const Key& key);
  void mark_overlaps(const Key& key, Open& open, const AddressRange& range);
  void take_unfinished(const Key& key);
  void keep(OpenCalls::node_type node);

  OpenCalls open_;
  std::vector<AssembledCall> completed_;  // by the event under way
  OpenCalls::node_type returned_;         // what completed_ points into
  std::vector<OpenCalls::node_type> spare_;
  std::uint64_t orphans_ = 0;
};

}  // namespace madvtrace
