// SPDX-License-Identifier: Apache-2.0
#include "kernel/uprobe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "kernel/libbpf_log.h"

namespace madvtrace {
namespace {

// uapi/linux/bpf.h of 6.6 and later: the libbpf and the headers of Debian 12 are older.
constexpr auto kUprobeMulti = static_cast<bpf_attach_type>(48);  // BPF_TRACE_UPROBE_MULTI

struct LinkCreateUprobeMulti {  // of union bpf_attr, for BPF_LINK_CREATE
  std::uint32_t prog_fd;
  std::uint32_t target_fd;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint64_t path;
  std::uint64_t offsets;
  std::uint64_t ref_ctr_offsets;
  std::uint64_t cookies;
  std::uint32_t count;
  std::uint32_t multi_flags;
  std::uint32_t pid;
  std::uint32_t unused;
};
static_assert(sizeof(LinkCreateUprobeMulti) == 64);

UniqueFd link_multi(int program, std::uint32_t pid, const char* path, std::uint64_t offset, std::uint64_t cookie) {
  const LinkCreateUprobeMulti attributes{.prog_fd = static_cast<std::uint32_t>(program),
                                         .target_fd = 0,
                                         .attach_type = kUprobeMulti,
                                         .flags = 0,
                                         .path = reinterpret_cast<std::uint64_t>(path),
                                         .offsets = reinterpret_cast<std::uint64_t>(&offset),
                                         .ref_ctr_offsets = 0,
                                         .cookies = reinterpret_cast<std::uint64_t>(&cookie),
                                         .count = 1,
                                         .multi_flags = 0,
                                         .pid = pid,
                                         .unused = 0};
  return UniqueFd(static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes))));
}

}  // namespace

// As libbpf 1.5 finds it out. A path that is no file is refused with EBADF where there is
// such a link at all; a negative pid with EINVAL where pid means a process: before, it
// meant one thread (46ba0e49b642, 6.10).
bool Uprobe::kernel_has_multi() {
  constexpr std::array<bpf_insn, 2> kReturnZero{
      {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0}, {.code = BPF_JMP | BPF_EXIT}}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = kUprobeMulti;
  const UniqueFd program(
      bpf_prog_load(BPF_PROG_TYPE_KPROBE, nullptr, "GPL", kReturnZero.data(), kReturnZero.size(), &options));
  if (!program) return false;
  if (link_multi(program.get(), 0, "/", 0, 0) || errno != EBADF) return false;
  return !link_multi(program.get(), UINT32_MAX, "/", 0, 0) && errno == EINVAL;
}

void Uprobe::load_for(bpf_program* program, bool multi) {
  if (multi) bpf_program__set_expected_attach_type(program, kUprobeMulti);
}

Result<Uprobe> Uprobe::attach(const bpf_program* program, std::uint32_t pid, const std::string& path,
                              std::uint64_t offset, std::uint64_t cookie) {
  if (bpf_program__expected_attach_type(program) == kUprobeMulti) {
    UniqueFd link = link_multi(bpf_program__fd(program), pid, path.c_str(), offset, cookie);
    if (!link) return fail(ExitCode::kUnsupported, errno_text("the kernel refused a uprobe", errno));
    return Uprobe(std::move(link));
  }
  take_first_libbpf_warning();
  bpf_uprobe_opts options{};
  options.sz = sizeof(options);
  options.bpf_cookie = cookie;
  Link link(bpf_program__attach_uprobe_opts(program, static_cast<pid_t>(pid), path.c_str(), offset, &options));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("the kernel refused a uprobe", errno));
  return Uprobe(std::move(link));
}

}  // namespace madvtrace
