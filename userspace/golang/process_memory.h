// SPDX-License-Identifier: Apache-2.0
// Reads the memory of another process while it runs: process_vm_readv(2). The process is
// not stopped and nothing is written, so what several words hold need not belong
// together: who reads them checks.
//
// Needs what ptrace(2) needs (PTRACE_MODE_ATTACH_REALCREDS): root, or the same user where
// Yama allows it. The kernel takes the target's mmap_lock for a short moment, and brings a
// page in that is swapped out.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace madvtrace {

// One piece of a read: `into` is filled from `address` on.
struct MemoryPiece {
  std::uint64_t address = 0;
  std::span<std::byte> into;
};

// Together, of one read.
inline constexpr std::size_t kMemoryReadLimitBytes = std::size_t{1} << 20;
// The kernel's UIO_MAXIOV.
inline constexpr std::size_t kMemoryReadLimitPieces = 1024;

class ProcessMemory {
 public:
  ProcessMemory() = default;
  ProcessMemory(const ProcessMemory&) = delete;
  ProcessMemory& operator=(const ProcessMemory&) = delete;
  virtual ~ProcessMemory() = default;

  // All pieces to the last byte, or an error; what they hold after an error is not
  // defined. Not atomic, but one system call: microseconds from the first byte to the last.
  virtual Status read(std::span<const MemoryPiece> pieces) const = 0;
};

// Of a process that exists. A pid can come to mean another process: that is for the
// caller to notice, who knows when his process exits or execs.
class LiveProcessMemory final : public ProcessMemory {
 public:
  explicit LiveProcessMemory(pid_t pid) : pid_(pid) {}
  Status read(std::span<const MemoryPiece> pieces) const override;

 private:
  pid_t pid_;
};

}  // namespace madvtrace
