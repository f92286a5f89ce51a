// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/heap_stream.h"

#include "model/advice.h"
#include "model/page_table.h"

namespace madvtrace::bench {
namespace {

constexpr std::uint64_t kBase = 0xc000000000;
constexpr std::uint64_t kReleaseBytes = 64 << 10;
constexpr std::uint32_t kPid = 100;
constexpr std::uint64_t kReleasesPerLook = 16;
constexpr std::uint64_t kStack = 1;

}  // namespace

std::uint64_t HeapStream::next(const std::function<void(const Event&)>& sink) {
  if (releases_ == 0 && frames_) {
    ++releases_;
    return stack(sink);
  }
  return ++releases_ % kReleasesPerLook == 0 ? look(sink) : release(sink);
}

std::uint64_t HeapStream::stack(const std::function<void(const Event&)>& sink) {
  sink(Stack{.stamp = {.mono_ns = now_ns_, .pid = kPid, .tid = kPid}, .stack_key = kStack, .addresses = {0x46a0b1}});
  sink(Frames{.stack_key = kStack, .text = "runtime.madvise", .cause = Cause::kBackground});
  return 2;
}

std::uint64_t HeapStream::release(const std::function<void(const Event&)>& sink) {
  at_ = (at_ == 0 ? kHeapBytes : at_) - kReleaseBytes;
  now_ns_ += 20'000;
  const std::uint64_t address = kBase + at_;
  const Stamp stamp{.mono_ns = now_ns_, .pid = kPid, .tid = kPid};
  CallFields call{.kind = CallKind::kMadvise, .begin_ns = now_ns_, .stack_key = kStack};
  call.args = {address, kReleaseBytes, static_cast<std::uint64_t>(kMadvFree), 0, 0, 0};
  sink(ReleaseBegin{.stamp = stamp,
                    .call = call,
                    .range = {address, address + kReleaseBytes},
                    .walk = {.resident_pages = kReleaseBytes / kPageBytes, .done = true}});
  Pages pages{.stamp = stamp,
              .begin_ns = now_ns_,
              .chunk_addr = chunk_of(address),
              .first_page = static_cast<std::uint32_t>(page_in_chunk(address)),
              .pages = kReleaseBytes / kPageBytes};
  pages.resident_bits.fill(~std::uint64_t{0});
  sink(pages);
  now_ns_ += 2'000;
  sink(ReleaseEnd{.stamp = {.mono_ns = now_ns_, .pid = kPid, .tid = kPid}, .begin_ns = call.begin_ns});
  return 3;
}

// At any one chunk of the heap: about a half is still clean.
std::uint64_t HeapStream::look(const std::function<void(const Event&)>& sink) {
  now_ns_ += 5'000;
  Pages pages{.stamp = {.mono_ns = now_ns_, .pid = kPid, .tid = 0},
              .begin_ns = now_ns_ - 1'000,
              .chunk_addr = kBase + random_() % (kHeapBytes / kChunkBytes) * kChunkBytes,
              .pages = kChunkPages,
              .on_demand = true};
  for (std::size_t word = 0; word < pages.resident_bits.size(); ++word) {
    pages.resident_bits[word] = (std::uint64_t{random_()} << 32 | random_()) | 0xffff0000ffff0000;
    pages.clean_bits[word] = pages.resident_bits[word] & 0xffffffff00000000;
  }
  sink(pages);
  return 1;
}

}  // namespace madvtrace::bench
