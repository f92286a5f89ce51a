// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/wire_stream.h"

#include <sys/mman.h>

#include "tests/support/stream_builder.h"

namespace madvtrace::bench {
namespace {

constexpr std::uint64_t kHeap = 0xc000000000;
constexpr std::uint64_t kHeapBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kReleaseBytes = 64 << 10;
constexpr std::uint64_t kPages = kReleaseBytes >> 12;
constexpr std::uint64_t kStacks = 16;
constexpr std::uint32_t kPid = 100;

}  // namespace

std::vector<std::string> churn(std::uint64_t calls, std::uint32_t threads) {
  test::StreamBuilder stream;
  stream.start().on(kPid, kPid);
  for (std::uint64_t key = 1; key <= kStacks; ++key) {
    stream.stack(key, {0x46a0b1, 0x41c000 + key, 0x41b000});
    stream.add(Frames{.stack_key = key, .text = "runtime.madvise;runtime.sysUnusedOS", .cause = Cause::kBackground});
  }
  for (std::uint64_t call = 0; call < calls; ++call) {
    const std::uint64_t at_ns = call * 10'000;
    const std::uint64_t address = kHeap + call / 2 * kReleaseBytes % kHeapBytes;
    stream.on(kPid, kPid + static_cast<std::uint32_t>(call / 2 % threads));
    if (call % 2 == 0) {
      test::CallSpec release = test::madvise(address, kReleaseBytes, MADV_DONTNEED);
      release.stack_key = 1 + call % kStacks;
      stream.at(at_ns).begin(release, test::walked(kPages)).at(at_ns + 3000).end(at_ns, 0);
    } else {
      test::CallSpec advice = test::madvise(address & ~((std::uint64_t{2} << 20) - 1), 2 << 20, MADV_NOHUGEPAGE);
      advice.stack_key = 1 + call % kStacks;
      stream.at(at_ns + 1000).plain(advice, at_ns, 0);
    }
  }
  stream.finish();
  return stream.records();
}

}  // namespace madvtrace::bench
