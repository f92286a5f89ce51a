// SPDX-License-Identifier: Apache-2.0
// Notes, for doctor, which hooks wrote something about calls of our own, and what it said.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "bpf/records.h"
#include "stream/record_sink.h"

namespace madvtrace {

// Pages that a probe touches, and of them those that it gives back.
inline constexpr std::size_t kProbePages = 8;
inline constexpr std::size_t kGivenBackPages = 4;

class Witness : public RecordSink {
 public:
  void on_record(RecordBytes record) override;

  // An entry hook is proved by any record of its call; an exit hook by a WIRE_CALL, or
  // by the end that follows a begin. `hook`: as perf names it, or "user stacks".
  bool saw(const std::string& hook) const { return seen_.contains(hook); }
  // Of the madvise that gives kGivenBackPages back.
  std::optional<std::uint64_t> walked_pages() const { return walked_pages_; }
  unsigned gc_marks() const { return gc_marks_; }
  unsigned refaults() const { return refaults_; }
  std::uint64_t reclaimed_pages() const { return reclaimed_pages_; }
  // Anonymous pages that came by faults, and that went in releases.
  std::uint64_t faulted_pages() const { return faulted_pages_; }
  std::uint64_t released_pages() const { return released_pages_; }

 private:
  void on_call(RecordBytes record);
  void on_end(std::uint32_t tid);
  void on_rss(RecordBytes record);
  void on_reclaimed(RecordBytes record);

  std::set<std::string> seen_;
  std::map<std::uint32_t, std::uint16_t> last_calls_;
  std::optional<std::uint64_t> walked_pages_;
  unsigned gc_marks_ = 0;
  unsigned refaults_ = 0;
  std::uint64_t reclaimed_pages_ = 0;
  std::uint64_t faulted_pages_ = 0;
  std::uint64_t released_pages_ = 0;
};

}  // namespace madvtrace
