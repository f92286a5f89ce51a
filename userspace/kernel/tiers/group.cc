// SPDX-License-Identifier: Apache-2.0
#include "kernel/tiers/group.h"

#include <bpf/libbpf.h>
#include <unistd.h>

#include <atomic>

#include "bpf/control.h"
#include "kernel/cgroup_subsystem.h"
#include "kernel/syscall_program.h"
#include "madvtrace.skel.h"

namespace madvtrace {

Status GroupTier::configure() {
  skeleton_.rodata->tracer_pid = static_cast<std::uint32_t>(::getpid());
  bpf_program__set_autoload(skeleton_.progs.on_cgroup_attach, true);
  bpf_program__set_autoload(skeleton_.progs.leave_out, true);
  return {};
}

std::vector<Hook> GroupTier::hooks() const { return {{kGroupHook, skeleton_.progs.on_cgroup_attach}}; }

Status GroupTier::watch(std::uint64_t id, const std::vector<std::string>& controllers) const {
  std::int32_t subsystem = -1;
  if (!controllers.empty()) {
    MADV_TAKE(subsystem, cgroup_subsystem(controllers));
  }
  *static_cast<volatile std::int32_t*>(&skeleton_.data->group_subsys) = subsystem;
  *static_cast<volatile std::int32_t*>(&skeleton_.data->group_level) = -1;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  *static_cast<volatile unsigned long long*>(&skeleton_.bss->group_id) = id;
  return {};
}

bool GroupTier::leave_out(std::uint32_t pid, std::uint32_t programs_run) const {
  wire_leave_out request{.pid = pid, .programs = programs_run, .done = 0, .reserved = 0};
  return run_syscall_program(bpf_program__fd(skeleton_.progs.leave_out), request) && request.done == 1;
}

}  // namespace madvtrace
