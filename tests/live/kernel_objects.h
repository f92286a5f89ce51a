// SPDX-License-Identifier: Apache-2.0
// What a process has of the kernel's BPF objects, by their ids: whoever has an id can ask
// whether the object is still there, whoever else keeps it (a pin, a link, another process).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>

namespace madvtrace {

struct KernelObjects {
  std::set<std::uint32_t> programs;
  std::set<std::uint32_t> maps;
  std::set<std::uint32_t> links;

  std::size_t size() const { return programs.size() + maps.size() + links.size(); }
  std::string text() const;
};

// Those that it has descriptors of (/proc/PID/fdinfo).
KernelObjects kernel_objects_of(pid_t pid);

// Those of them that still exist.
KernelObjects still_there(const KernelObjects& objects);

// The kernel frees them a moment after their last user has gone; so this waits a few
// seconds for it. What is left then.
KernelObjects left_of(const KernelObjects& objects);

}  // namespace madvtrace
