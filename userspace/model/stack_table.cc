// SPDX-License-Identifier: Apache-2.0
#include "model/stack_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace madvtrace {
namespace {

std::string hex(std::uint64_t value) {
  std::array<char, 18> text{'0', 'x'};
  const auto result = std::to_chars(text.data() + 2, text.data() + text.size(), value, 16);
  return {text.data(), result.ptr};
}

}  // namespace

StackTable::Entry* StackTable::find_or_add(std::uint64_t stack_key) {
  const auto found = entries_.find(stack_key);
  if (found != entries_.end()) return &found->second;
  if (entries_.size() >= kStacks) {
    ++overflowed_;
    return nullptr;
  }
  return &entries_[stack_key];
}

void StackTable::add(const Stack& stack) {
  Entry* entry = find_or_add(stack.stack_key);
  if (entry == nullptr || !entry->frames.empty()) return;
  for (const std::uint64_t address : stack.addresses) {
    if (!entry->frames.empty()) entry->frames += ';';
    entry->frames += hex(address);
  }
}

void StackTable::add_frames(const Frames& frames) {
  const auto found = entries_.find(frames.stack_key);
  if (found == entries_.end() || found->second.given_out) return;
  Entry& entry = found->second;
  if (!frames.text.empty()) entry.frames = frames.text;
  entry.answered = true;
  entry.known.settled = true;
  entry.known.cause = frames.cause;
  if (entry.known.id != 0) give_out(entry);
}

KnownStack* StackTable::use(std::uint64_t stack_key) {
  if (stack_key == 0) return nullptr;
  Entry* entry = find_or_add(stack_key);
  if (entry == nullptr) return nullptr;
  if (entry->known.id == 0) {
    entry->known.id = ++last_id_;
    if (entry->answered) give_out(*entry);
  }
  return &entry->known;
}

void StackTable::give_out(Entry& entry) {
  entry.given_out = true;
  sink_.on_stack({.stack_id = entry.known.id, .frames = entry.frames});
  entry.frames.clear();
  entry.frames.shrink_to_fit();
}

void StackTable::finish() {
  std::vector<Entry*> left;
  for (auto& [key, entry] : entries_) {
    if (entry.known.id != 0 && !entry.given_out) left.push_back(&entry);
  }
  std::sort(left.begin(), left.end(), [](const Entry* a, const Entry* b) { return a->known.id < b->known.id; });
  for (Entry* entry : left) give_out(*entry);
}

}  // namespace madvtrace
