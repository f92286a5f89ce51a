// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_subsystem.h"

#include "kernel/kernel_types.h"

namespace madvtrace {

Result<std::int32_t> cgroup_subsystem(const std::vector<std::string>& controllers) {
  MADV_TAKE(const KernelTypes types, KernelTypes::load());
  std::string all;
  for (const std::string& controller : controllers) {
    // cgroup v1 calls it by an older name (block/blk-cgroup.c, legacy_name).
    const std::string name = controller == "blkio" ? "io" : controller;
    if (const auto value = types.enum_value("cgroup_subsys_id", name + "_cgrp_id")) return *value;
    all += (all.empty() ? "" : ",") + controller;
  }
  return fail(ExitCode::kUsage,
              "the hierarchy " + all +
                  " has no controller by which processes could be told apart; name the group as it is "
                  "in another one: below /sys/fs/cgroup/memory, or in the unified one");
}

}  // namespace madvtrace
