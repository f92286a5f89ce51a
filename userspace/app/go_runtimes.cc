// SPDX-License-Identifier: Apache-2.0
#include "app/go_runtimes.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "golang/expected_advice.h"
#include "golang/load_bias.h"
#include "golang/process_memory.h"
#include "model/advice.h"
#include "procfs/environ.h"
#include "procfs/maps.h"

namespace madvtrace {
namespace {

// A position independent binary has another bias in every process.
constexpr std::size_t kPrograms = 256;

std::vector<FileMapping> mappings_of_file(const MapsText& maps, std::uint64_t inode) {
  std::vector<FileMapping> mappings;
  for (const Mapping& mapping : maps.mappings) {
    if (mapping.inode == inode) mappings.push_back({.addresses = mapping.range, .offset = mapping.offset_bytes});
  }
  return mappings;
}

GoHeap heap_from(const GoBooks& books) {
  return {.heap_sys_bytes = books.heap_sys,
          .heap_inuse_bytes = books.heap_inuse,
          .heap_idle_bytes = books.heap_idle,
          .heap_released_bytes = books.heap_released,
          .stack_inuse_bytes = books.stack_inuse,
          .next_gc_bytes = books.next_gc,
          .num_gc = books.num_gc,
          .pause_total_ns = books.pause_total_ns,
          .mallocs = books.mallocs,
          .frees = books.frees,
          .mapped_ready_bytes = books.mapped_ready,
          .memory_limit_bytes = books.memory_limit,
          .gc_percent = books.gc_percent,
          .metadata_sys_bytes = books.metadata_sys,
          .gc_work_inuse_bytes = books.gc_work_inuse};
}

}  // namespace

const GoRuntimes::Program& GoRuntimes::program(const std::shared_ptr<const GoModule>& module, std::uint64_t bias) {
  if (programs_.size() >= kPrograms) programs_.clear();
  const auto [found, is_new] = programs_.try_emplace({module.get(), bias});
  Program& program = found->second;
  if (!is_new) return program;
  program.module = module;
  if (page_) page_->books.reset();
  Result<BooksReader> reader = BooksReader::locate(module->image, module->build.version, &module->functions, bias);
  if (reader) {
    program.reader = std::make_shared<const BooksReader>(std::move(*reader));
  } else {
    program.why_not = reader.error().message;
  }
  return program;
}

std::optional<bool> GoRuntimes::is_go(std::uint32_t pid) {
  ProcResult<UniqueFd> exe = proc_.open_file(static_cast<pid_t>(pid), "exe");
  if (!exe) return std::nullopt;
  return modules_.get(std::move(*exe), /*executable=*/true, fmt::format("/proc/{}/exe", pid)) != nullptr;
}

GoProgram GoRuntimes::look_at(std::uint32_t pid_number) {
  forget(pid_number);
  const auto pid = static_cast<pid_t>(pid_number);
  GoProgram go;
  ProcResult<UniqueFd> exe = proc_.open_file(pid, "exe");
  struct stat status {};
  if (!exe || ::fstat(exe->get(), &status) != 0) return go;
  const std::shared_ptr<const GoModule> module =
      modules_.get(std::move(*exe), /*executable=*/true, fmt::format("/proc/{}/exe", pid));
  if (!module) return go;
  go.is_go = true;
  if (const auto environment = read_environ(proc_, pid)) go.godebug = environment->find("GODEBUG").value_or("");
  if (module->build.version) {
    go.version = module->build.version->text;
    const auto advice = expected_advice(
        *module->build.version, module->build.setting("DefaultGODEBUG").value_or(std::string_view()), go.godebug);
    go.expected_advice = advice == ReleaseAdvice::kFree ? kMadvFree : kMadvDontneed;
  }
  find_books(pid_number, module, status.st_ino, go);
  if (page_ && page_->pid == pid_number && !readers_.contains(pid_number)) {
    go.books = books_rung_name(BooksRung::kHttp);
    go.books_why_not.clear();
    readers_[pid_number] = {};
  }
  return go;
}

void GoRuntimes::find_books(std::uint32_t pid, const std::shared_ptr<const GoModule>& module, std::uint64_t inode,
                            GoProgram& go) {
  const auto maps = read_maps(proc_, static_cast<pid_t>(pid));
  const std::vector<FileMapping> mappings = maps ? mappings_of_file(*maps, inode) : std::vector<FileMapping>();
  const std::optional<std::uint64_t> bias = load_bias(mappings, module->segments());
  if (!bias) {
    go.books_why_not = "it cannot be told where its binary is loaded";
    return;
  }
  const Program& found = program(module, *bias);
  go.books_why_not = found.why_not;
  if (!found.reader) return;
  go.books = books_rung_name(found.reader->rung());
  readers_[pid] = {.books = found.reader};
}

void GoRuntimes::forget(std::uint32_t pid) {
  readers_.erase(pid);
  // What the last program of the process has answered is not the next one's.
  if (page_ && page_->pid == pid) page_->books.reset();
}

void GoRuntimes::ask_page(std::uint32_t pid, std::string url, std::uint64_t interval_ns) {
  page_ = {.pid = pid, .url = std::move(url), .interval_ns = interval_ns};
}

GoRuntimes::Reading GoRuntimes::read(std::uint32_t pid, std::optional<std::uint64_t> address_space_bytes) {
  const auto found = readers_.find(pid);
  if (found == readers_.end()) return {};
  Reader& reader = found->second;
  if (!reader.books) return read_page(address_space_bytes);
  const LiveProcessMemory memory(static_cast<pid_t>(pid));
  Result<GoBooks> books = reader.books->read(memory, {.address_space_bytes = address_space_bytes});
  if (!books) return {.dropped = reader.has_answered ? books.error().message : ""};
  reader.has_answered = true;
  return {.heap = heap_from(*books), .arenas = std::move(books->arenas)};
}

GoRuntimes::Reading GoRuntimes::read_page(std::optional<std::uint64_t> address_space_bytes) {
  if (!page_->books) page_->books = std::make_unique<HttpBooks>(page_->url);
  const std::optional<HttpBooks::Answer> answer = page_->books->newest_and_ask();
  if (!answer) return {};
  if (!answer->books) return {.dropped = answer->books.error().message};
  if (mono_now_ns() - answer->asked_mono_ns > 2 * page_->interval_ns) return {.dropped = "its page: no answer in time"};
  if (address_space_bytes && *answer->books->heap_sys > *address_space_bytes) {
    return {.dropped = "its page: more heap than the process has addresses; is it another program's page?"};
  }
  return {.heap = heap_from(*answer->books)};
}

}  // namespace madvtrace
