// SPDX-License-Identifier: Apache-2.0
#include "kernel/privileges.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/file_text.h"

namespace madvtrace {
namespace {

struct Needed {
  unsigned number;
  const char* name;
};

// BPF: load and attach. PERFMON: read kernel memory, open tracepoints. SYS_PTRACE:
// other users' /proc/PID. SYS_ADMIN: frame numbers in /proc/self/pagemap, tracefs.
constexpr std::array kNeeded{Needed{CAP_BPF, "CAP_BPF"}, Needed{CAP_PERFMON, "CAP_PERFMON"},
                             Needed{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, Needed{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};

// include/uapi/linux/nsfs.h (PID_NS_INIT_INO), the same in all kernels since 3.8.
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;

// Locked down for confidentiality a kernel has no BPF helper that reads its memory
// (5.4+), and so refuses every program here, for reasons that name only the helper. Not
// known where securityfs is not mounted.
bool hides_kernel_memory() {
  constexpr std::size_t kLimitBytes = 256;
  const auto modes = read_text_at(AT_FDCWD, "/sys/kernel/security/lockdown", kLimitBytes);
  return modes && modes->text.find("[confidentiality]") != std::string::npos;
}

}  // namespace

std::vector<std::string> missing_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  std::vector<std::string> missing;
  if (::syscall(SYS_capget, &header, data.data()) != 0) return missing;
  constexpr unsigned kBits = 32;
  for (const Needed& needed : kNeeded) {
    const unsigned word = data.at(needed.number / kBits).effective;
    if ((word >> (needed.number % kBits) & 1U) == 0) missing.emplace_back(needed.name);
  }
  return missing;
}

Status check_privileges() {
  const std::vector<std::string> missing = missing_capabilities();
  if (!missing.empty()) {
    return fail(ExitCode::kUnsupported,
                fmt::format("missing {}: run it as root (sudo madvtrace …)", fmt::join(missing, ", ")));
  }
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return fail(ExitCode::kUnsupported,
                "this kernel has no type information (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF");
  }
  if (hides_kernel_memory()) {
    return fail(
        ExitCode::kUnsupported,
        "this kernel is locked down and lets nobody read its memory: boot it with lockdown=integrity, or without "
        "lockdown");
  }
  struct stat own_namespace {};
  if (::stat("/proc/self/ns/pid", &own_namespace) == 0 && own_namespace.st_ino != kInitialPidNamespace) {
    return fail(ExitCode::kUnsupported,
                "this is a container with its own pids: run it on the host, or in a container that shares the host's "
                "(--pid=host, hostPID: true)");
  }
  return {};
}

}  // namespace madvtrace
