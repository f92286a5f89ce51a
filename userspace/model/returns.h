// SPDX-License-Identifier: Apache-2.0
// Returns follows the stage after the ledger's: pages that a release took out of RSS, and
// that were touched again. The fault was then wasted work, as was the release.
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
// It is pure, and of one process. It takes 2 KiB for each 2 MiB that has pages outstanding,
// and what the releases take that these are of.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/delays.h"
#include "model/event.h"
#include "model/page_table.h"
#include "model/releases.h"
#include "model/rows.h"

namespace madvtrace {

// These are the sums of what came back, of one process.
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
  DelayCurve delays;                            // of them all

  void add(const ReturnTotals& other);
};

class Returns {
 public:
  explicit Returns(Releases& releases) : releases_(releases) {}

  // These pages have left RSS by this release. `all_left`: each of them has, so that one
  // which is resident must have come back.
  void on_left(Releases::Slot slot, std::uint64_t chunk_addr, const PageBits& pages, bool all_left,
               std::uint64_t mono_ns);
  // These pages were resident when a later call began; comes before on_left() of that call.
  void on_found_resident(std::uint64_t chunk_addr, const PageBits& pages, std::uint64_t mono_ns);
  // Nobody can touch these pages any more; what is mapped there next is something else.
  void on_unmapped(const AddressRange& range);
  // Gives false if nobody waits for that page.
  bool on_refault(const Refault& refault, Quality quality);
  // No call of the process that touches the chunk may be under way.
  void on_look(const Pages& look);
  // Nobody will hear of a page that comes back from here on.
  void end();

  // These chunks have pages that may have come back: there one has to look.
  std::vector<std::uint64_t> chunks() const { return pages_.chunks(); }
  const ReturnTotals& totals() const { return totals_; }

 private:
  using Slot = Releases::Slot;
  using Chunk = PageTable::Chunk;

  struct Came {
    std::uint64_t from_ns = 0;
    std::uint64_t to_ns = 0;
    Quality quality = Quality::kExact;
    std::optional<Reclaimer> by;
    bool by_fault = false;
  };

  void came_back(Slot slot, const Came& came);
  void take_out(Chunk& chunk, std::size_t page);

  Releases& releases_;
  PageTable pages_;  // that are waited for: seen absent
  ReturnTotals totals_;
};

}  // namespace madvtrace
