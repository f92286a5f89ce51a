// SPDX-License-Identifier: Apache-2.0
#include "targets/program/program.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "golang/load_bias.h"
#include "procfs/maps.h"

namespace madvtrace {
namespace {

// A library that was loaded since is found; a stack of nonsense must not make the
// mappings be read for each of its frames.
constexpr std::uint64_t kReadAgainAfterNs = 1'000'000'000;

std::vector<FileMapping> mappings_of_file(const ProcRoot& proc, std::uint32_t pid, std::uint64_t inode) {
  std::vector<FileMapping> mappings;
  const auto maps = read_maps(proc, static_cast<pid_t>(pid));
  if (!maps) return mappings;
  for (const Mapping& mapping : maps->mappings) {
    if (mapping.inode == inode) mappings.push_back({.addresses = mapping.range, .offset = mapping.offset_bytes});
  }
  return mappings;
}

}  // namespace

const Executable* Program::executable() {
  if (!executable_ && state_ == State::kRuns) {
    executable_ = Executable::open(binaries_.proc, binaries_.modules, pid_);
  }
  return executable_ ? &*executable_ : nullptr;
}

std::optional<bool> Program::is_go() {
  const Executable* const file = executable();
  return file != nullptr ? std::optional(file->go != nullptr) : std::nullopt;
}

std::optional<ProgramFacts> Program::facts() {
  const Executable* const file = executable();
  if (file == nullptr) return std::nullopt;
  ProgramFacts facts;
  if (file->file) facts.build_id = build_id(file->path());
  if (file->go) facts.go = file->go->facts();
  return facts;
}

FoundBooks Program::books() {
  const Executable* const file = executable();
  if (file == nullptr || !file->go) return {};
  const auto bias = load_bias(mappings_of_file(binaries_.proc, pid_, file->inode), file->go->segments());
  if (!bias) return {.reader = nullptr, .why_not = "it cannot be told where its binary is loaded"};
  return file->go->books(*bias);
}

void Program::close_file() {
  if (executable_) executable_->file.reset();
}

bool Program::read_code() {
  const auto maps = read_maps(binaries_.proc, static_cast<pid_t>(pid_));
  if (!maps || maps->mappings.empty()) return false;
  code_.emplace(*maps, executable());
  code_read_ns_ = mono_now_ns();
  return true;
}

bool Program::has_code() { return code_ || (state_ == State::kRuns && read_code()); }

// By /proc/PID/map_files, so that neither deleted files nor mount namespaces matter.
void Program::look_into(CodeMap::Code& code) {
  code.looked = true;
  const std::string name = fmt::format("map_files/{:x}-{:x}", code.addresses.begin, code.addresses.end);
  const auto file = binaries_.proc.open_file(static_cast<pid_t>(pid_), name);
  if (!file) return;
  code.module = binaries_.modules.get(*file, /*executable=*/false, fmt::format("/proc/{}/{}", pid_, name));
}

std::optional<std::string> Program::go_name(std::uint64_t address) {
  const bool runs = state_ == State::kRuns;
  CodeMap::Code* code = code_->find(address);
  if (code == nullptr && runs && mono_now_ns() - code_read_ns_ > kReadAgainAfterNs) {
    code_read_ns_ = mono_now_ns();
    if (read_code()) code = code_->find(address);
  }
  if (code == nullptr) return std::nullopt;
  if (!code->looked && runs) look_into(*code);
  if (code->module == nullptr) return std::nullopt;
  const auto function = code->module->at(address - code->addresses.begin + code->offset);
  return function ? std::optional(function->name) : std::nullopt;
}

CodeName Program::name_of(std::uint64_t address) {
  if (auto name = go_name(address)) return {.kind = StackFrame::Kind::kGo, .name = std::move(*name), .module = {}};
  CodeName named;
  if (code_->find(address) != nullptr) named.kind = StackFrame::Kind::kNative;
  if (state_ != State::kRuns && !native_symbols_.known()) return named;
  NativeSymbol symbol = native_symbols_.symbol(address);
  named.name = std::move(symbol.name);
  named.module = std::move(symbol.module);
  named.offset = symbol.offset;
  return named;
}

std::optional<std::vector<CodeName>> Program::names_of(std::span<const std::uint64_t> addresses) {
  if (state_ == State::kReplaced || !has_code()) return std::nullopt;
  std::vector<CodeName> names;
  names.reserve(addresses.size());
  for (const std::uint64_t address : addresses) names.push_back(name_of(address));
  return names;
}

}  // namespace madvtrace
