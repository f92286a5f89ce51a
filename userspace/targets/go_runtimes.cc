// SPDX-License-Identifier: Apache-2.0
#include "targets/go_runtimes.h"

#include <fmt/format.h>

#include "golang/expected_advice.h"
#include "golang/load_bias.h"
#include "golang/process_memory.h"
#include "model/advice.h"
#include "procfs/environ.h"
#include "procfs/maps.h"

namespace madvtrace {
namespace {

// A position independent binary has another bias in every process.
constexpr std::size_t kLoaded = 256;

std::vector<FileMapping> mappings_of_file(const MapsText& maps, std::uint64_t inode) {
  std::vector<FileMapping> mappings;
  for (const Mapping& mapping : maps.mappings) {
    if (mapping.inode == inode) mappings.push_back({.addresses = mapping.range, .offset = mapping.offset_bytes});
  }
  return mappings;
}

}  // namespace

const GoRuntimes::Loaded& GoRuntimes::loaded(const std::shared_ptr<const GoModule>& module, std::uint64_t bias) {
  if (loaded_.size() >= kLoaded) loaded_.clear();
  const auto [found, is_new] = loaded_.try_emplace({module.get(), bias});
  Loaded& loaded = found->second;
  if (!is_new) return loaded;
  loaded.module = module;
  Result<BooksReader> reader = BooksReader::locate(module->image, module->build.version, &module->functions, bias);
  if (reader) {
    loaded.reader = std::make_shared<const BooksReader>(std::move(*reader));
  } else {
    loaded.why_not = reader.error().message;
  }
  return loaded;
}

GoProgram GoRuntimes::look_at(std::uint32_t pid, const Program& program, Target& target) {
  target.books = nullptr;
  target.books_have_answered = false;
  GoProgram go;
  if (!program.go) return go;
  const GoModule& module = *program.go;
  go.is_go = true;
  go.build_id = program.go->build.build_id;
  if (const auto environment = read_environ(proc_, static_cast<pid_t>(pid)))
    go.godebug = environment->find("GODEBUG").value_or("");
  if (module.build.version) {
    go.version = module.build.version->text;
    const auto advice = expected_advice(
        *module.build.version, module.build.setting("DefaultGODEBUG").value_or(std::string_view()), go.godebug);
    go.expected_advice = advice == ReleaseAdvice::kFree ? kMadvFree : kMadvDontneed;
  }
  find_books(pid, program, target, go);
  return go;
}

void GoRuntimes::find_books(std::uint32_t pid, const Program& program, Target& target, GoProgram& go) {
  const auto maps = read_maps(proc_, static_cast<pid_t>(pid));
  const std::vector<FileMapping> mappings = maps ? mappings_of_file(*maps, program.inode) : std::vector<FileMapping>();
  const std::optional<std::uint64_t> bias = load_bias(mappings, program.go->segments());
  if (!bias) {
    go.books_why_not = "it cannot be told where its binary is loaded";
    return;
  }
  const Loaded& found = loaded(program.go, *bias);
  go.books_why_not = found.why_not;
  if (!found.reader) return;
  go.books = books_rung_name(found.reader->rung());
  target.books = found.reader;
}

GoRuntimes::Reading GoRuntimes::read(std::uint32_t pid, Target& target,
                                     std::optional<std::uint64_t> address_space_bytes) {
  if (!target.books) return {};
  const LiveProcessMemory memory(static_cast<pid_t>(pid));
  Result<GoBooks> books = target.books->read(memory, {.address_space_bytes = address_space_bytes});
  if (!books) return {.dropped = target.books_have_answered ? books.error().message : ""};
  target.books_have_answered = true;
  return {.heap = static_cast<const GoHeap&>(*books), .arenas = std::move(books->arenas)};
}

}  // namespace madvtrace
