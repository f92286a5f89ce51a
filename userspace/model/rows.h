// SPDX-License-Identifier: Apache-2.0
// These are what the model gives out: the rows of the output tables, with the columns of
// docs/csv-schema.md. An empty optional is "unknown" and never stands for zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/cause.h"
#include "base/enum_names.h"
#include "model/call_kind.h"
#include "model/event.h"

namespace madvtrace {

// Quality says how well a number is known; it never says better than it is.
enum class Quality : std::uint8_t {
  kExact,
  kBounded,   // a bound or an interval; or something else happened in the range meanwhile
  kSampled,   // probed or polled, not counted
  kAfterLoss  // records that it depends on may be missing
};

inline constexpr auto kQualityNames = names_of<Quality::kAfterLoss>({
    {Quality::kExact, "exact"},
    {Quality::kBounded, "bounded"},
    {Quality::kSampled, "sampled"},
    {Quality::kAfterLoss, "after_loss"},
});

// One row of events.csv: a traced call that has returned (or never will), or a marker.
struct CallRow {
  std::uint64_t ts_ns = 0;
  std::uint64_t mono_ns = 0;  // when the call began
  std::uint32_t pid = 0;      // 0: of a group, without a thread
  std::uint32_t tid = 0;
  Comm comm{};
  std::uint64_t cgroup_id = 0;
  CallKind call = CallKind::kMmap;
  std::optional<std::int32_t> advice;
  std::optional<std::uint64_t> addr;
  std::optional<std::uint64_t> len_bytes;
  std::optional<std::int64_t> ret;  // empty: it did not return while traced
  std::optional<std::uint64_t> dur_ns;
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> lazyfree_bytes;
  std::optional<std::uint64_t> swap_bytes;
  std::optional<std::int64_t> rss_delta_bytes;
  std::optional<Quality> quality;  // empty on markers, save those of a group
  std::optional<Cause> cause;      // empty: not known; Cause::kUnknown: looked at, and no rule says
  std::optional<std::uint32_t> stack_id;
};

// What became of bytes that were resident when they were released.
enum class Fate : std::uint8_t {
  kFreed,       // left RSS inside the call
  kReclaimed,   // the kernel took them later
  kRewritten,   // touched again before the kernel took them: they never left RSS
  kSuperseded,  // released again
  kUnmapped,
  kExited,   // the process ended, or became another program
  kPending,  // still in RSS when the trace ended, or the process left the watched cgroup
  // From here on of stage `return`, and in no sum of those above.
  kRefaulted,  // left RSS and was touched again
};
inline constexpr auto kFateNames = names_of<Fate::kRefaulted>({
    {Fate::kFreed, "freed"},
    {Fate::kReclaimed, "reclaimed"},
    {Fate::kRewritten, "rewritten"},
    {Fate::kSuperseded, "superseded"},
    {Fate::kUnmapped, "unmapped"},
    {Fate::kExited, "exited"},
    {Fate::kPending, "pending"},
    {Fate::kRefaulted, "refaulted"},
});
inline constexpr std::size_t kFates = static_cast<std::size_t>(Fate::kRefaulted);  // of stage `leave`

constexpr bool is_return(Fate fate) { return static_cast<std::size_t>(fate) >= kFates; }

// One row of releases.csv: one fate of one release. A release's `bytes` of stage
// `leave` add up to its resident_bytes.
struct ReleaseRow {
  std::uint64_t release_id = 0;
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  CallKind call = CallKind::kMadvise;
  std::optional<std::int32_t> advice;
  AddressRange range;
  std::uint64_t resident_bytes = 0;
  std::uint64_t released_mono_ns = 0;
  std::uint64_t released_ts_ns = 0;
  Fate fate = Fate::kFreed;
  std::uint64_t bytes = 0;
  std::uint64_t delay_min_ns = 0;
  std::optional<std::uint64_t> delay_max_ns;  // empty: still pending
  std::optional<Reclaimer> by;
  Quality quality = Quality::kExact;
  std::optional<Cause> cause;
  std::optional<std::uint32_t> stack_id;
};

// One row of samples.csv: a process, or the watched group as a whole.
struct SampleRow {
  std::uint64_t ts_ns = 0;
  std::uint64_t mono_ns = 0;
  std::uint32_t pid = 0;                       // 0: the group, with sums over its processes (model/group_sums.h)
  Comm comm{};                                 // no column
  std::optional<std::uint64_t> pending_bytes;  // released while traced, still in RSS as far as is known
  Sample sample;
};

// One row of rss_changes.csv: what one cause has done to the RSS of a process since its
// last row, or since counting began. RSS is anonymous memory, files and shared memory; swap
// stands on its own.
struct RssRow {
  std::uint64_t ts_ns = 0;
  std::uint64_t mono_ns = 0;
  std::uint32_t pid = 0;
  RssCause cause = RssCause::kFault;
  std::optional<Reclaimer> by;
  std::uint64_t gained_bytes = 0;
  std::uint64_t lost_bytes = 0;
  std::int64_t anon_delta_bytes = 0;
  std::int64_t file_delta_bytes = 0;
  std::int64_t shmem_delta_bytes = 0;
  std::int64_t swap_delta_bytes = 0;
  Quality quality = Quality::kBounded;

  // Wraps if a hostile recording says so.
  std::int64_t rss_delta_bytes() const { return static_cast<std::int64_t>(gained_bytes - lost_bytes); }
};

struct StackRow {
  std::uint32_t stack_id = 0;
  std::string_view frames;
};

// Receives rows as they become known. Implementations do not fail: they keep their
// first error for whoever owns them.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void on_call(const CallRow& row) = 0;
  virtual void on_release(const ReleaseRow& row) = 0;
  virtual void on_sample(const SampleRow& row) = 0;
  virtual void on_stack(const StackRow& row) = 0;
  virtual void on_rss(const RssRow& row) = 0;

 protected:
  RowSink() = default;
  RowSink(RowSink&&) = default;
  RowSink& operator=(RowSink&&) = default;
};

}  // namespace madvtrace
