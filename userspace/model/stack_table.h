// SPDX-License-Identifier: Apache-2.0
// StackTable gives for the kernel's stack keys the small stack_id of the output, numbered
// from 1 in the order of first use by a row, and the frames as text and the cause.
//
// Frames arrive later than the stack (symbols are looked up off the hot path), empty
// (the process was gone), or never: without them a stack is given out as raw addresses,
// at the latest when the trace ends. Memory is bounded by kStacks; a stack over that has
// no id and is counted.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "model/event.h"
#include "model/row_origin.h"
#include "model/rows.h"

namespace madvtrace {

class StackTable {
 public:
  static constexpr std::size_t kStacks = 1U << 18;

  explicit StackTable(RowSink& sink) : sink_(sink) {}

  void add(const Stack& stack);
  void add_frames(const Frames& frames);

  // For a row. Null for key 0, or when the table is full; else it stays where it is as
  // long as the table, and changes when the frames arrive.
  KnownStack* use(std::uint64_t stack_key);

  // Gives out what is left; nothing may be added after it.
  void finish();

  std::uint64_t overflowed() const { return overflowed_; }

 private:
  struct Entry {
    KnownStack known;
    bool given_out = false;
    bool answered = false;  // frames have come, or it is known that they will not
    std::string frames;     // raw addresses until the symbols arrive
  };

  Entry* find_or_add(std::uint64_t stack_key);
  void give_out(Entry& entry);

  RowSink& sink_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::uint32_t last_id_ = 0;
  std::uint64_t overflowed_ = 0;
};

}  // namespace madvtrace
