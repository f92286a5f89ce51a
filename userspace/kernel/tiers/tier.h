// SPDX-License-Identifier: Apache-2.0
// A tier, as the session sees it: which programs are loaded for it, which hooks they are attached to, and what it
// holds while a trace runs. There is one object for each tier that was asked for. The programs of the others are not
// even loaded: a kernel that refuses them cannot keep the trace from running.
#pragma once

#include <vector>

#include "base/result.h"
#include "kernel/hooks.h"

struct madvtrace_bpf;

namespace madvtrace {

class Tier {
 public:
  virtual ~Tier() = default;

  // Before the programs are loaded: says which, and sets what they take as constants. kUnsupported where this kernel
  // or machine cannot do what the tier needs.
  virtual Status configure() = 0;
  // Once they are loaded, before anything is attached.
  virtual Status begin() { return {}; }
  // After configure(), in the order in which they are attached: ends before begins, so that no begin is seen of which
  // the end would be missed.
  virtual std::vector<Hook> hooks() const = 0;

 protected:
  Tier() = default;
};

}  // namespace madvtrace
