// SPDX-License-Identifier: Apache-2.0
#include "targets/go_symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "procfs/maps.h"
#include "targets/program.h"

namespace madvtrace {
namespace {

// A library that was loaded since is found; a stack of nonsense must not make the
// mappings be read for each of its frames.
constexpr std::uint64_t kReadAgainAfterNs = 1'000'000'000;

}  // namespace

std::optional<GoSymbols::Process> GoSymbols::read(std::uint32_t pid) {
  const auto maps = read_maps(proc_, static_cast<pid_t>(pid));
  if (!maps || maps->mappings.empty()) return std::nullopt;
  Process process{.read_ns = mono_now_ns()};
  const Program program = open_program(proc_, modules_, pid);
  process.executable = program.go;
  for (const Mapping& mapping : maps->mappings) {
    if (mapping.perms[2] != 'x' || process.code.size() >= kCodeMappings) continue;
    const bool own = mapping.inode == program.inode && mapping.inode != 0;
    process.code.push_back({.addresses = mapping.range,
                            .offset = mapping.offset_bytes,
                            .looked = own || mapping.inode == 0,
                            .module = own ? process.executable : nullptr});
  }
  return process;
}

bool GoSymbols::look_at(std::uint32_t pid) {
  if (knows(pid)) return true;
  std::optional<Process> process = read(pid);
  if (!process) return false;
  // Rare enough not to be clever about whom to forget.
  if (processes_.size() >= kProcesses) processes_.clear();
  processes_.emplace(pid, std::move(*process));
  return true;
}

const GoSymbols::Code* GoSymbols::find(const Process& process, std::uint64_t address) {
  const auto after = std::upper_bound(process.code.begin(), process.code.end(), address,
                                      [](std::uint64_t a, const Code& code) { return a < code.addresses.begin; });
  if (after == process.code.begin()) return nullptr;
  const Code& code = *std::prev(after);
  return address < code.addresses.end ? &code : nullptr;
}

void GoSymbols::look_into(std::uint32_t pid, Code& code) {
  code.looked = true;
  const std::string name = fmt::format("map_files/{:x}-{:x}", code.addresses.begin, code.addresses.end);
  auto file = proc_.open_file(static_cast<pid_t>(pid), name);
  if (file) code.module = modules_.get(std::move(*file), /*executable=*/false, fmt::format("/proc/{}/{}", pid, name));
}

std::optional<std::string> GoSymbols::name_at(std::uint32_t pid, std::uint64_t address) {
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return std::nullopt;
  Process& process = found->second;
  const Code* code = find(process, address);
  if (code == nullptr && mono_now_ns() - process.read_ns > kReadAgainAfterNs) {
    process.read_ns = mono_now_ns();
    if (std::optional<Process> again = read(pid)) process = std::move(*again);
    code = find(process, address);
  }
  if (code == nullptr) return std::nullopt;
  if (!code->looked) look_into(pid, process.code[static_cast<std::size_t>(code - process.code.data())]);
  if (code->module == nullptr) return std::nullopt;
  const auto function = code->module->at(address - code->addresses.begin + code->offset);
  return function ? std::optional(function->name) : std::nullopt;
}

bool GoSymbols::is_code(std::uint32_t pid, std::uint64_t address) const {
  const auto found = processes_.find(pid);
  return found != processes_.end() && find(found->second, address) != nullptr;
}

bool GoSymbols::is_go_program(std::uint32_t pid) const {
  const auto found = processes_.find(pid);
  return found != processes_.end() && found->second.executable != nullptr;
}

}  // namespace madvtrace
