// SPDX-License-Identifier: Apache-2.0
// HeldRows keeps rows of calls and releases that wait for their cause.
//
// A row is complete when its call returns; the frames of its stack, and by them its
// cause, arrive some milliseconds later, once for each stack. Rows are held back until
// then, and every later one behind them: the order is kept. When the frames do not come,
// because the stack was lost or the trace stops in the middle, a row goes out without a
// cause: after kLongestNs of the stream's time, when kRows others have come after it, or
// at the end. A stack that was waited for so long is not waited for again.
//
// All of it is a function of the stream, so that a replay gives the same rows. A row takes
// constant time; one whose cause is known passes without being copied, as long as none is
// held before it. Each row that is held takes about 300 bytes, all of them 20 MiB at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <variant>

#include "model/row_origin.h"
#include "model/rows.h"

namespace madvtrace {

class HeldRows {
 public:
  static constexpr std::size_t kRows = 1U << 16;
  static constexpr std::uint64_t kLongestNs = 10'000'000'000;
  static constexpr std::size_t kNoProcess = SIZE_MAX;

  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void give_out(const CallRow& row, std::size_t process) = 0;
    virtual void give_out(const ReleaseRow& row) = 0;

   protected:
    Sink() = default;
    Sink(Sink&&) = default;
    Sink& operator=(Sink&&) = default;
  };

  explicit HeldRows(Sink& sink) : sink_(sink) {}

  // `process` is handed on with the row; kNoProcess: of a group. The cause is filled in
  // here.
  void add(CallRow& row, const RowOrigin& origin, std::size_t process);
  void add(ReleaseRow& row, const RowOrigin& origin);

  // The stream has got to this moment; it may jump, and does not go back.
  void pass(std::uint64_t mono_ns) {
    now_ns_ = mono_ns;
    if (!held_.empty()) give_up_on_late_ones();
  }
  // Frames have arrived.
  void give_out_settled();
  // Gives out what is left.
  void finish();

 private:
  struct Held {
    std::variant<CallRow, ReleaseRow> row;
    RowOrigin origin;
    std::size_t process = 0;
    std::uint64_t since_ns = 0;
  };

  template <class Row>
  bool pass_through(Row& row, const RowOrigin& origin) const;
  void hold(const Held& held);
  void give_up_on_late_ones();
  void give_out_first();

  Sink& sink_;
  std::deque<Held> held_;
  std::uint64_t now_ns_ = 0;
};

}  // namespace madvtrace
