# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # sourced: the lists are used elsewhere
# The Debian 12 packages that this repository needs, one list for each purpose and
# in no other place.

# To build the tool. libgtest-dev and libbenchmark-dev: the build configures its
# tests too unless told otherwise.
packages_build=(
  build-essential cmake ninja-build pkg-config git ca-certificates
  clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev
  libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libexpected-dev
  libdw-dev libbpfcc-dev
  libgtest-dev libbenchmark-dev
)

# The demonstration traces a Go server that is built from source.
packages_demo=(golang-go)

# libclang-rt-14-dev is the sanitizers and libFuzzer of Debian 12's clang.
packages_test=(
  golang-go
  linux-perf bpftrace strace procps python3 util-linux curl
  runc busybox-static jq
  shellcheck clang-format clang-tidy libclang-rt-14-dev
)

# Boots other kernels; virtiofsd comes with it.
packages_vm=(qemu-system-x86 busybox-static util-linux xz-utils)

# npm fetches one program that the field tests trace. Only where no npm exists yet:
# many machines have a newer one that the package would conflict with.
packages_npm=(nodejs npm)

# Servers that the field tests trace, as command=package. They are unpacked below
# build/, not installed: their maintainer scripts would create users and start, and
# enable, services on the machine.
packages_unpacked=(prometheus=prometheus etcd=etcd-server hey=hey)

# What madvtrace is measured against, and the server that both trace.
packages_bench=(python3 golang-go bpftrace linux-perf strace util-linux)
packages_bench_unpacked=(prometheus=prometheus hey=hey)
