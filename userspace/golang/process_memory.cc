// SPDX-License-Identifier: Apache-2.0
#include "golang/process_memory.h"

#include <sys/uio.h>

#include <cerrno>
#include <string>
#include <vector>

namespace madvtrace {

Status LiveProcessMemory::read(std::span<const MemoryPiece> pieces) const {
  const std::string what = "reading memory of process " + std::to_string(pid_);
  std::vector<iovec> local;
  std::vector<iovec> remote;
  std::size_t bytes = 0;
  for (const MemoryPiece& piece : pieces) {
    if (piece.into.empty()) continue;
    local.push_back({piece.into.data(), piece.into.size()});
    remote.push_back({reinterpret_cast<void*>(piece.address), piece.into.size()});
    if (piece.into.size() > kMemoryReadLimitBytes) return fail(what + ": more than the limit of 1 MiB at once");
    bytes += piece.into.size();
  }
  if (local.empty()) return {};
  if (bytes > kMemoryReadLimitBytes) return fail(what + ": more than the limit of 1 MiB at once");
  if (local.size() > kMemoryReadLimitPieces) return fail(what + ": more pieces than one call can read");

  const ssize_t got = ::process_vm_readv(pid_, local.data(), local.size(), remote.data(), remote.size(), 0);
  if (got < 0) return fail(errno_text(what, errno));
  if (static_cast<std::size_t>(got) != bytes) {
    return fail(what + ": " + std::to_string(got) + " of " + std::to_string(bytes) + " bytes are mapped");
  }
  return {};
}

}  // namespace madvtrace
