// SPDX-License-Identifier: Apache-2.0
#include "targets/stack_symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "bpf/records.h"
#include "golang/cause.h"

namespace madvtrace {
namespace {

// A function can be as long as a program likes; a line should not.
constexpr std::size_t kLongestName = 512;

struct NamedFrame {
  StackFrame::Kind kind = StackFrame::Kind::kNone;
  std::string name;
  std::string module;
  std::string text;
};

NamedFrame native_frame(NativeSymbol symbol, std::uint64_t address, bool is_code) {
  NamedFrame frame{.name = std::move(symbol.name), .module = std::move(symbol.module)};
  if (is_code) frame.kind = StackFrame::Kind::kNative;
  frame.text = !frame.name.empty()     ? frame.name
               : !frame.module.empty() ? fmt::format("{}+{:#x}", frame.module, symbol.offset)
                                       : fmt::format("{:#x}", address);
  return frame;
}

}  // namespace

void StackSymbols::forget(std::uint32_t pid) {
  go_.forget(pid);
  symbolizer_.forget(pid);
}

void StackSymbols::on_program_end(std::uint32_t pid) {
  queue_.push_back({.stamp = {.pid = pid}});
  ++ending_[pid];
}

void StackSymbols::on_exec(std::uint32_t pid) {
  // What was looked at since the last drain may have been the new program already.
  for (Ready& ready : ready_) {
    if (ready.pid == pid) ready.frames = {.stack_key = ready.frames.stack_key};
  }
  forget(pid);
  on_program_end(pid);
}

void StackSymbols::on_event(const Event& event) {
  if (const auto* stack = std::get_if<Stack>(&event)) queue_.push_back(*stack);
  if (const auto* exec = std::get_if<Exec>(&event)) on_exec(exec->stamp.pid);
  if (const auto* exit = std::get_if<Exit>(&event)) on_program_end(exit->stamp.pid);
}

Frames StackSymbols::symbolise(const Stack& stack) {
  const std::uint32_t pid = stack.stamp.pid;
  Frames frames{.stack_key = stack.stack_key};
  const bool ended = ending_.contains(pid);
  if (!(ended ? go_.knows(pid) : go_.look_at(pid))) return frames;
  std::vector<NamedFrame> named;
  named.reserve(stack.addresses.size());
  for (std::size_t i = 0; i < stack.addresses.size(); ++i) {
    // Above the leaf an address is where a call returns to, which may be the next
    // function already: look at the call itself.
    const std::uint64_t address = stack.addresses[i] - (i == 0 || stack.addresses[i] == 0 ? 0 : 1);
    if (auto name = go_.name_at(pid, address)) {
      name->resize(std::min(name->size(), kLongestName));
      named.push_back({.kind = StackFrame::Kind::kGo, .name = *name, .text = *name});
    } else {
      const bool ask = !ended || symbolizer_.knows(pid);
      NativeSymbol symbol = ask ? symbolizer_.symbol(pid, address) : NativeSymbol();
      named.push_back(native_frame(std::move(symbol), address, go_.is_code(pid, address)));
    }
  }
  std::vector<StackFrame> views;
  views.reserve(named.size());
  for (NamedFrame& frame : named) {
    views.push_back({.kind = frame.kind, .name = frame.name, .module = frame.module});
    std::replace(frame.text.begin(), frame.text.end(), ';', ':');
    if (!frames.text.empty()) frames.text += ';';
    frames.text += frame.text;
  }
  frames.cause = cause_of_stack(views, go_.is_go_program(pid), stack.addresses.size() >= WIRE_STACK_DEPTH);
  return frames;
}

void StackSymbols::work(std::uint64_t budget_ns) {
  const std::uint64_t until_ns = mono_now_ns() + budget_ns;
  while (!queue_.empty()) {
    const Stack& stack = queue_.front();
    const std::uint32_t pid = stack.stamp.pid;
    if (stack.addresses.empty()) {
      forget(pid);
      if (--ending_[pid] == 0) ending_.erase(pid);
    } else {
      ready_.push_back({.pid = pid, .frames = symbolise(stack)});
    }
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
