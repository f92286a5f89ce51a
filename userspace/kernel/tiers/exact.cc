// SPDX-License-Identifier: Apache-2.0
#include "kernel/tiers/exact.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <iterator>

#include "bpf/control.h"
#include "kernel/function_hook.h"
#include "kernel/kernel_types.h"
#include "kernel/syscall_program.h"
#include "madvtrace.skel.h"

namespace madvtrace {
namespace {

// Since 6.2; before, mm->rss_stat was a struct of one number a member.
bool rss_is_counted_in_parts(const KernelTypes& types) { return !types.has_struct("mm_rss_stat"); }

}  // namespace

Status ExactTier::configure() {
  auto& programs = skeleton_.progs;
  MADV_TAKE(const KernelTypes types, KernelTypes::load());
  in_parts_ = rss_is_counted_in_parts(types);
  bpf_program__set_autoload(in_parts_ ? programs.on_rss_stat_parts : programs.on_rss_stat_count, true);
  bpf_program__set_autoload(programs.find_percpu_offsets, in_parts_);
  bpf_program__set_autoload(programs.tell_rss, true);
  moments_ = has_page_walk_ ? can_hook_exit(types, "try_to_unmap_one")
                            : Status(fail(ExitCode::kUnsupported, "needs the page walk"));
  bpf_program__set_autoload(programs.on_unmap_exit, moments_.has_value());
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0 || cpus > WIRE_RSS_CPUS) {
    return fail(ExitCode::kUnsupported, "--exact: this machine has more CPUs than it is made for");
  }
  skeleton_.rodata->cpus = static_cast<std::uint32_t>(cpus);
  skeleton_.rodata->record_rss = 1;
  return {};
}

Status ExactTier::begin() {
  if (!in_parts_) return {};
  const bool ran = run_syscall_program(bpf_program__fd(skeleton_.progs.find_percpu_offsets));
  const auto& offsets = skeleton_.bss->percpu_offsets;
  const bool found = std::all_of(std::begin(offsets), std::next(std::begin(offsets), skeleton_.rodata->cpus),
                                 [](std::uint64_t offset) { return offset != 0; });
  // On a machine with a single CPU, without SMP, 0 is right.
  if (ran && (found || skeleton_.rodata->cpus == 1)) return {};
  return fail(ExitCode::kUnsupported, "--exact: where the CPUs keep their parts of RSS cannot be found on this kernel");
}

std::vector<Hook> ExactTier::hooks() const {
  const auto& programs = skeleton_.progs;
  return {{.name = "kmem:rss_stat",
           .program = in_parts_ ? programs.on_rss_stat_parts : programs.on_rss_stat_count,
           .catches_up = true},
          {.name = "fexit:try_to_unmap_one", .program = programs.on_unmap_exit, .optional = true}};
}

void ExactTier::tell(std::uint32_t pid) const {
  wire_rss_request request{.pid = pid, .reserved = 0};
  run_syscall_program(bpf_program__fd(skeleton_.progs.tell_rss), request);
}

void ExactTier::forget(std::uint32_t pid) const {
  wire_target target{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_.maps.targets), &pid, &target) != 0) return;
  bpf_map_delete_elem(bpf_map__fd(skeleton_.maps.address_spaces), &target.mm);
  bpf_map_delete_elem(bpf_map__fd(skeleton_.maps.rss_changes), &pid);
}

}  // namespace madvtrace
