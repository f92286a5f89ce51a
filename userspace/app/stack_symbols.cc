// SPDX-License-Identifier: Apache-2.0
#include "app/stack_symbols.h"

#include <cstring>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "bpf/wire.h"
#include "stream/decoder.h"

namespace madvtrace {

void StackSymbols::on_record(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return;
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.kind == WIRE_EXEC) {
    std::erase_if(queue_, [&](const Stack& stack) { return stack.stamp.pid == header.pid; });
    std::erase_if(ready_, [&](const Ready& ready) { return ready.pid == header.pid; });
    symbolizer_.forget(header.pid);
  }
  if (header.kind != WIRE_STACK) return;
  Decoded decoded = decode_record(record);
  if (!decoded.event) return;
  if (auto* stack = std::get_if<Stack>(&*decoded.event)) queue_.push_back(std::move(*stack));
}

void StackSymbols::work(std::uint64_t budget_ns) {
  const std::uint64_t until_ns = mono_now_ns() + budget_ns;
  while (!queue_.empty()) {
    const Stack& stack = queue_.front();
    const std::uint32_t pid = stack.stamp.pid;
    ready_.push_back(
        {.pid = pid, .frames = {.stack_key = stack.stack_key, .text = symbolizer_.frames(pid, stack.addresses)}});
    queue_.pop_front();
    if (mono_now_ns() >= until_ns) break;
  }
}

std::vector<Frames> StackSymbols::take_ready() {
  std::vector<Frames> frames;
  frames.reserve(ready_.size());
  for (Ready& ready : ready_) frames.push_back(std::move(ready.frames));
  ready_.clear();
  return frames;
}

}  // namespace madvtrace
