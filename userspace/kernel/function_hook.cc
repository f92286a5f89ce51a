// SPDX-License-Identifier: Apache-2.0
#include "kernel/function_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/unique_fd.h"

namespace madvtrace {

Status can_hook_exit(const char* kernel_function) {
  const std::string name = std::string(kernel_function) + "()";
  const int id = libbpf_find_vmlinux_btf_id(kernel_function, BPF_TRACE_FEXIT);
  if (id < 0) return fail(ExitCode::kUnsupported, "this kernel has no " + name + " that can be hooked");
  constexpr std::array<bpf_insn, 2> kReturnZero{
      {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0}, {.code = BPF_JMP | BPF_EXIT}}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_FEXIT;
  options.attach_btf_id = static_cast<__u32>(id);
  const UniqueFd program(
      bpf_prog_load(BPF_PROG_TYPE_TRACING, nullptr, "GPL", kReturnZero.data(), kReturnZero.size(), &options));
  if (!program) return fail(ExitCode::kUnsupported, errno_text("the kernel refuses a hook on " + name, errno));
  const UniqueFd link(bpf_raw_tracepoint_open(nullptr, program.get()));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("the kernel refuses to attach to " + name, errno));
  return {};
}

}  // namespace madvtrace
