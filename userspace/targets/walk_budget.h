// SPDX-License-Identifier: Apache-2.0
// Keeps page walks to a share of one CPU: a walk that was too long for the time since
// the last one is paid off before the next.
#pragma once

#include <algorithm>
#include <cstdint>

namespace madvtrace {

class WalkBudget {
 public:
  explicit WalkBudget(double share) : share_(share) {}

  void pass(std::uint64_t elapsed_ns) { debt_ns_ = std::max(0.0, debt_ns_ - share_ * static_cast<double>(elapsed_ns)); }
  void spend(std::uint64_t cpu_ns) { debt_ns_ += static_cast<double>(cpu_ns); }
  bool allows() const { return debt_ns_ <= 0; }

 private:
  double share_;
  double debt_ns_ = 0;
};

}  // namespace madvtrace
