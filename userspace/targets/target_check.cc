// SPDX-License-Identifier: Apache-2.0
#include "targets/target_check.h"

#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "procfs/stat.h"
#include "procfs/status.h"

namespace madvtrace {
namespace {

tl::unexpected<Error> refuse(std::string message) { return fail(ExitCode::kUsage, std::move(message)); }

// System calls of 32-bit programs pass none of the hooks (arch/x86, compat entry).
bool is_32_bit(const ProcRoot& proc, pid_t pid) {
  const Result<UniqueFd> exe = proc.open_file(pid, "exe");
  std::array<unsigned char, EI_NIDENT> ident{};
  if (!exe || ::pread(exe->get(), ident.data(), ident.size(), 0) != static_cast<ssize_t>(ident.size())) return false;
  return ident[EI_CLASS] == ELFCLASS32;
}

}  // namespace

Status check_target(const ProcRoot& proc, std::uint32_t pid_number) {
  const auto pid = static_cast<pid_t>(pid_number);
  const Result<ProcessStatus> status = read_status(proc, pid);
  if (!status) {
    if (status.error().failure == Failure::kGone) return refuse(fmt::format("-p {}: no such process", pid));
    return tl::unexpected<Error>(status.error());
  }
  if (status->tgid != pid) {
    return refuse(fmt::format("-p {}: that is a thread of process {}; give -p {}, all its threads are traced", pid,
                              status->tgid, status->tgid));
  }
  const Result<ProcessStat> stat = read_stat(proc, pid);
  if (stat && stat->kernel_thread()) {
    return refuse(fmt::format("-p {}: a kernel thread has no memory of its own to trace", pid));
  }
  if (status->state == 'Z' || status->state == 'X') {
    return refuse(fmt::format("-p {}: it has ended already (zombie)", pid));
  }
  if (is_32_bit(proc, pid)) {
    return refuse(fmt::format("-p {}: a 32-bit program; the kernel shows its calls to no tracer of this kind", pid));
  }
  return {};
}

}  // namespace madvtrace
