// SPDX-License-Identifier: Apache-2.0
#include "kernel/tracefs.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace madvtrace {
namespace {

bool has_events(const UniqueFd& root) { return root && ::faccessat(root.get(), "events/syscalls", R_OK, 0) == 0; }

// Raw system calls: glibc has had wrappers since 2.36 only.
UniqueFd mount_detached() {
  const UniqueFd filesystem(static_cast<int>(::syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC)));
  if (!filesystem) return {};
  if (::syscall(SYS_fsconfig, filesystem.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_fsmount, filesystem.get(), FSMOUNT_CLOEXEC, 0)));
}

}  // namespace

Result<TraceFs> TraceFs::open() {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    UniqueFd root(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (has_events(root)) return TraceFs(std::move(root));
  }
  UniqueFd root = mount_detached();
  if (has_events(root)) return TraceFs(std::move(root));
  return fail(ExitCode::kUnsupported,
              "no syscall tracepoints: tracefs is not mounted and cannot be (CONFIG_FTRACE_SYSCALLS, CAP_SYS_ADMIN); "
              "try: mount -t tracefs nodev /sys/kernel/tracing");
}

Result<std::uint64_t> TraceFs::event_id(const std::string& group, const std::string& event) const {
  const std::string path = "events/" + group + "/" + event + "/id";
  const UniqueFd fd(::openat(root_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(ExitCode::kUnsupported, errno_text("no tracepoint " + group + ":" + event, errno));
  std::array<char, 32> text{};
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  std::uint64_t id = 0;
  if (got <= 0 || std::from_chars(text.data(), text.data() + got, id).ec != std::errc{}) {
    return fail(ExitCode::kUnsupported, "tracefs gives no number for " + group + ":" + event);
  }
  return id;
}

}  // namespace madvtrace
