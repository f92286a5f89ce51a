// SPDX-License-Identifier: Apache-2.0
// The numbers that the running kernel has for its cgroup controllers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace madvtrace {

// Of the first of these controllers, all of one v1 hierarchy, that the kernel's BTF has in
// enum cgroup_subsys_id (include/linux/cgroup_subsys.h); the numbers depend on how the
// kernel was built. kUsage if none is: of a hierarchy that only has a name, the kernel
// keeps nothing with a task that a look-up could be quick by.
Result<std::int32_t> cgroup_subsystem(const std::vector<std::string>& controllers);

}  // namespace madvtrace
