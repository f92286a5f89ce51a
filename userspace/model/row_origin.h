// SPDX-License-Identifier: Apache-2.0
// RowOrigin says where a row comes from: the stack of its call and, by that, its cause; and
// the clock of that time, which can have been set by when the row is given out. The cause is
// known only when the stack's frames have arrived, which is after the call.
#pragma once

#include <cstdint>
#include <optional>

#include "base/cause.h"

namespace madvtrace {

// What is known of a stack so far.
struct KnownStack {
  std::uint32_t id = 0;        // 0: not used by a row yet
  bool settled = false;        // the cause is known, or is not waited for any more
  std::optional<Cause> cause;  // as the stack alone says
};

struct RowOrigin {
  KnownStack* stack = nullptr;     // null: no stack
  bool near_memory_limit = false;  // of its process, when the call was made
  std::int64_t utc_minus_mono_ns = 0;

  bool settled() const { return stack == nullptr || stack->settled; }

  std::optional<std::uint32_t> stack_id() const { return stack == nullptr ? std::nullopt : std::optional(stack->id); }

  std::optional<Cause> cause() const {
    if (stack == nullptr || stack->cause != Cause::kGrowthOrLimit) {
      return stack == nullptr ? std::nullopt : stack->cause;
    }
    return near_memory_limit ? Cause::kMemoryLimit : Cause::kHeapGrowth;
  }
};

}  // namespace madvtrace
