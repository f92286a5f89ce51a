// SPDX-License-Identifier: Apache-2.0
// One function a tier, each with a session of its own: what a tier needs is loaded for it
// alone, so that one which the kernel refuses does not hide the others.
#pragma once

#include <vector>

#include "base/result.h"
#include "kernel/capabilities.h"
#include "kernel/direct_map.h"

namespace madvtrace {

std::vector<Finding> probe_base_tier(const Result<DirectMap>& direct_map);
std::vector<Finding> probe_refaults_tier(const Result<DirectMap>& direct_map);
std::vector<Finding> probe_exact_tier(const Result<DirectMap>& direct_map);

}  // namespace madvtrace
