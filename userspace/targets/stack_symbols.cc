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

std::string text_of(const CodeName& name, std::uint64_t address) {
  std::string text = !name.name.empty()     ? name.name
                     : !name.module.empty() ? fmt::format("{}+{:#x}", name.module, name.offset)
                                            : fmt::format("{:#x}", address);
  std::replace(text.begin(), text.end(), ';', ':');
  return text;
}

Frames symbolise(Program& program, const Stack& stack) {
  Frames frames{.stack_key = stack.stack_key};
  // Above the leaf an address is where a call returns to, which may be the next
  // function already: look at the call itself.
  std::vector<std::uint64_t> addresses = stack.addresses;
  for (std::size_t i = 1; i < addresses.size(); ++i) {
    if (addresses[i] != 0) --addresses[i];
  }
  std::optional<std::vector<CodeName>> names = program.names_of(addresses);
  if (!names) return frames;
  std::vector<StackFrame> views;
  views.reserve(names->size());
  for (std::size_t i = 0; i < names->size(); ++i) {
    CodeName& name = (*names)[i];
    name.name.resize(std::min(name.name.size(), kLongestName));
    views.push_back({.kind = name.kind, .name = name.name, .module = name.module});
    if (i != 0) frames.text += ';';
    frames.text += text_of(name, addresses[i]);
  }
  frames.cause = cause_of_stack(views, program.is_go().value_or(false), stack.addresses.size() >= WIRE_STACK_DEPTH);
  return frames;
}

}  // namespace

void StackSymbols::on_event(const Event& event) {
  const auto* const stack = std::get_if<Stack>(&event);
  if (stack != nullptr) waiting_.push_back({.program = targets_.program_of(stack->stamp.pid), .stack = *stack});
}

void StackSymbols::work(std::uint64_t budget_ns) {
  const std::uint64_t until_ns = mono_now_ns() + budget_ns;
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    Frames frames = symbolise(*next.program, next.stack);
    ready_.push_back({.program = std::move(next.program), .frames = std::move(frames)});
    waiting_.pop_front();
    if (mono_now_ns() >= until_ns) break;
  }
}

std::vector<Frames> StackSymbols::take_ready() {
  std::vector<Frames> frames;
  frames.reserve(ready_.size());
  for (Ready& ready : ready_) {
    // It may have been the new program already that was looked at.
    const bool overtaken = ready.program->state() == Program::State::kReplaced;
    frames.push_back(overtaken ? Frames{.stack_key = ready.frames.stack_key} : std::move(ready.frames));
  }
  ready_.clear();
  return frames;
}

}  // namespace madvtrace
