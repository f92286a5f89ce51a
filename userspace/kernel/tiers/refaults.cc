// SPDX-License-Identifier: Apache-2.0
#include "kernel/tiers/refaults.h"

#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "kernel/syscall_program.h"
#include "madvtrace.skel.h"

namespace madvtrace {
namespace {

// Chunks of 2 MiB that have had pages given back: 64 GiB, in 5 MB of the kernel's memory.
constexpr std::uint32_t kReleasedChunks = 32768;

}  // namespace

Status RefaultsTier::configure() {
  skeleton_.rodata->record_refaults = 1;
  bpf_program__set_autoload(skeleton_.progs.on_page_fault, true);
  bpf_program__set_autoload(skeleton_.progs.forget_released, true);
  if (bpf_map__set_max_entries(skeleton_.maps.released, kReleasedChunks) != 0) {
    return fail("the table of released pages cannot be made that large");
  }
  return {};
}

Status RefaultsTier::begin() {
  events_.emplace(skeleton_.progs.on_page_fault);
  return {};
}

void RefaultsTier::make_room() const {
  constexpr std::uint32_t kMuch = kReleasedChunks / 2;
  if (*static_cast<const volatile __u32*>(&skeleton_.bss->released_chunks) < kMuch) return;
  run_syscall_program(bpf_program__fd(skeleton_.progs.forget_released));
}

}  // namespace madvtrace
