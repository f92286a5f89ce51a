// SPDX-License-Identifier: Apache-2.0
#include "model/held_rows.h"

namespace madvtrace {

template <class Row>
bool HeldRows::pass_through(Row& row, const RowOrigin& origin) const {
  if (!held_.empty() || !origin.settled()) return false;
  row.cause = origin.cause();
  return true;
}

void HeldRows::add(CallRow& row, const RowOrigin& origin, std::size_t process) {
  if (pass_through(row, origin)) {
    sink_.give_out(row, process);
  } else {
    hold({.row = row, .origin = origin, .process = process, .since_ns = now_ns_});
  }
}

void HeldRows::add(ReleaseRow& row, const RowOrigin& origin) {
  if (pass_through(row, origin)) {
    sink_.give_out(row);
  } else {
    hold({.row = row, .origin = origin, .since_ns = now_ns_});
  }
}

void HeldRows::hold(const Held& held) {
  held_.push_back(held);
  if (held_.size() <= kRows) return;
  give_out_first();
  give_out_settled();
}

void HeldRows::give_out_first() {
  Held& held = held_.front();
  std::visit([&](auto& row) { row.cause = held.origin.cause(); }, held.row);
  if (const auto* call = std::get_if<CallRow>(&held.row)) {
    sink_.give_out(*call, held.process);
  } else {
    sink_.give_out(std::get<ReleaseRow>(held.row));
  }
  held_.pop_front();
}

void HeldRows::give_out_settled() {
  while (!held_.empty() && held_.front().origin.settled()) give_out_first();
}

void HeldRows::give_up_on_late_ones() {
  while (!held_.empty() && now_ns_ - held_.front().since_ns > kLongestNs) {
    if (held_.front().origin.stack != nullptr) held_.front().origin.stack->settled = true;
    give_out_settled();
  }
}

void HeldRows::finish() {
  while (!held_.empty()) give_out_first();
}

}  // namespace madvtrace
