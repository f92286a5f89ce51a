// SPDX-License-Identifier: Apache-2.0
// What the processes of the watched group have in memory, added up: the last sample of
// each that was looked at since the sums were last taken and still runs what it ran then.
//
// A sum is empty if one of its parts is unknown, or there is none. Pages that processes
// share count once for each of them, as they do in RSS.
#pragma once

#include <cstdint>
#include <map>

#include "model/rows.h"

namespace madvtrace {

class GroupSums {
 public:
  void add(const SampleRow& row);
  // It ended, or runs another program.
  void forget(std::uint32_t pid) { rows_.erase(pid); }
  // A row of no process, with the sums and nothing else. The next one starts from nothing.
  SampleRow take();

 private:
  std::map<std::uint32_t, SampleRow> rows_;  // by pid, without what is not added up
};

}  // namespace madvtrace
