// SPDX-License-Identifier: Apache-2.0
#include "kernel/function_hook.h"

#include <bpf/bpf.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/unique_fd.h"

namespace madvtrace {

Status can_hook_exit(const KernelTypes& types, const std::string& kernel_function) {
  const std::string name = kernel_function + "()";
  const std::optional<std::uint32_t> id = types.function(kernel_function);
  if (!id) return fail(ExitCode::kUnsupported, "this kernel has no " + name + " that can be hooked");
  constexpr std::array<bpf_insn, 2> kReturnZero{
      {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0}, {.code = BPF_JMP | BPF_EXIT}}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_FEXIT;
  options.attach_btf_id = *id;
  const UniqueFd program(
      bpf_prog_load(BPF_PROG_TYPE_TRACING, nullptr, "GPL", kReturnZero.data(), kReturnZero.size(), &options));
  if (!program) return fail(ExitCode::kUnsupported, errno_text("the kernel refuses a hook on " + name, errno));
  const UniqueFd link(bpf_raw_tracepoint_open(nullptr, program.get()));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("the kernel refuses to attach to " + name, errno));
  return {};
}

}  // namespace madvtrace
