// SPDX-License-Identifier: Apache-2.0
// Runs a loaded program of SEC("syscall") once, on the caller's time.
#pragma once

#include <bpf/bpf.h>

namespace madvtrace {

// `request` is what it gets, and is left as the program leaves it: such a program's
// context is copied back to where it came from, and ctx_out is refused
// (bpf_prog_test_run_syscall(), EINVAL). False, with errno, if it could not be run.
template <class Request>
bool run_syscall_program(int program_fd, Request& request) {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &request;
  options.ctx_size_in = sizeof(request);
  return bpf_prog_test_run_opts(program_fd, &options) == 0;
}

// One that takes nothing.
inline bool run_syscall_program(int program_fd) {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  return bpf_prog_test_run_opts(program_fd, &options) == 0;
}

}  // namespace madvtrace
