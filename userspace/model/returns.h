// SPDX-License-Identifier: Apache-2.0
// The stage after the ledger's: pages that a release took out of RSS, and that were
// touched again. The fault was then wasted work, as was the release.
//
//   left RSS --> refaulted        the kernel side saw the fault (to the moment)
//            --> found resident   by a look, or by the next release: it came back without
//                                 a fault of its own, since the last time it was absent
//            --> forgotten        unmapped, its process is gone, or the trace is over
//
// A page is waited for on account of one release, the one that took it. Rows of this
// stage (Fate::kRefaulted) never add up with those of the ledger: what did not come back
// has none. They are given out when nothing of the release can come back any more.
//
// Delays count from the release. One that is known as an interval counts at its end.
//
// Pure. Memory: 2 KiB for each 2 MiB that has pages outstanding and about 250 bytes a
// release that has; nothing at all until record() is called.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/delays.h"
#include "model/event.h"
#include "model/row_origin.h"
#include "model/rows.h"

namespace madvtrace {

// What came back, of one process.
struct ReturnTotals {
  static constexpr std::array<std::uint64_t, 3> kWithinNs{1'000'000'000, 10'000'000'000, 60'000'000'000};
  struct Part {
    std::uint64_t bytes = 0;
    std::uint64_t faults = 0;
  };

  std::uint64_t left_bytes = 0;  // that left RSS and could be touched again
  Part returned;
  std::uint64_t collapsed_bytes = 0;            // of them, by khugepaged
  std::array<Part, kWithinNs.size()> within{};  // of them, so soon after the release
  Delays delays;                                // of them all, as Fate::kFreed

  void add(const ReturnTotals& other);
};

class Returns {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    // Without released_ts_ns and cause.
    virtual void on_release(ReleaseRow row, const RowOrigin& origin) = 0;
    // When the process is gone, or the trace over.
    virtual void on_returns(std::uint32_t pid, const ReturnTotals& totals) = 0;
  };

  explicit Returns(Sink& sink) : sink_(sink) { releases_.emplace_back(); }  // slot 0 is nobody

  // From here on. Until then every call below does nothing.
  void record() { recording_ = true; }
  bool recording() const { return recording_; }

  // These pages have left RSS by this release. `certain`: each of them has, so that one
  // which is resident must have come back. `last_call_ns`: when the last call merged into
  // the release began.
  void on_left(const ReleaseRow& release, std::uint64_t last_call_ns, const RowOrigin& origin, std::uint64_t chunk_addr,
               const PageBits& pages, bool certain, std::uint64_t mono_ns);
  // No more pages follow, and the row is as its others are.
  void on_release_over(const ReleaseRow& release);
  // Resident when a later call began; before on_left() of that call.
  void on_found_resident(std::uint32_t pid, std::uint64_t chunk_addr, const PageBits& pages, std::uint64_t mono_ns);
  // Nobody can touch these pages any more; what is mapped there next is something else.
  void on_unmapped(std::uint32_t pid, const AddressRange& range);
  // False if nobody waits for that page.
  bool on_refault(const Refault& refault, Quality quality);
  // `under_way`: a call of the process that touches the chunk has begun and not ended.
  void on_look(const Pages& look, bool under_way);
  void on_process_gone(std::uint32_t pid);
  void finish();

  // Chunks with pages that may have come back: where to look.
  std::vector<std::uint64_t> chunks(std::uint32_t pid) const;

 private:
  using Slot = std::uint32_t;

  struct Chunk {
    std::array<Slot, kChunkPages> slots{};
    std::uint32_t absent = 0;      // pages that are waited for
    std::uint64_t changed_ns = 0;  // when a call last changed a page of it
    std::uint64_t looked_ns = 0;   // when those pages were last seen absent
    bool has_small_pages = false;  // then, and no call has changed that: no fault can make it a huge page
  };

  struct Process {
    std::map<std::uint64_t, std::unique_ptr<Chunk>> chunks;  // by address
    ReturnTotals totals;
  };

  struct Closing {
    std::optional<Reclaimer> by;
    Quality quality = Quality::kExact;
    std::uint64_t pages = 0;
    std::uint64_t delay_min_ns = 0;
    std::uint64_t delay_max_ns = 0;
  };

  struct Release {
    ReleaseRow row;  // what all its rows have in common
    std::uint64_t last_call_ns = 0;
    RowOrigin origin;
    std::uint64_t absent_pages = 0;
    bool over = false;
    bool certain = true;  // all of its pages left
    std::vector<Closing> closings;
  };

  struct Came {
    std::uint64_t from_ns = 0;
    std::uint64_t to_ns = 0;
    Quality quality = Quality::kExact;
    std::optional<Reclaimer> by;
    bool by_fault = false;
  };

  Slot slot_of(const ReleaseRow& release);
  void came_back(Process& process, Slot slot, const Came& came);
  void take_out(Chunk& chunk, std::size_t page);
  void give_out_if_over(Slot slot);
  void give_out(Slot slot);

  Sink& sink_;
  bool recording_ = false;
  std::map<std::uint32_t, Process> processes_;
  std::vector<Release> releases_;
  std::vector<Slot> free_slots_;
  std::unordered_map<std::uint64_t, Slot> by_id_;
};

}  // namespace madvtrace
