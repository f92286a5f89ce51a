// SPDX-License-Identifier: Apache-2.0
// What doctor does for each tier. Each function has a session of its own: what a tier needs is loaded for it
// alone, so that one which the kernel refuses does not hide the others.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/capabilities.h"
#include "kernel/direct_map.h"
#include "kernel/hooks.h"

namespace madvtrace {

class BpfSession;

// The hooks of a session, of which any may have failed.
struct AttachedHooks {
  std::map<std::string, Status> status;  // by the hook's name
  std::vector<Link> links;
};

AttachedHooks attach_each(const BpfSession& session);

std::vector<Finding> probe_base_tier(const Result<DirectMap>& direct_map);
std::vector<Finding> probe_refaults_tier(const Result<DirectMap>& direct_map);
std::vector<Finding> probe_exact_tier(const Result<DirectMap>& direct_map);

}  // namespace madvtrace
