// SPDX-License-Identifier: Apache-2.0
#include "app/gc_marks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>

#include "golang/gc_functions.h"
#include "golang/pclntab.h"

namespace madvtrace {
namespace {

constexpr std::size_t kMostPrograms = 1024;

// Go's linker marks its programs by sections. To look for the table without them takes
// 0.2 s in a large program of another language.
bool may_be_go(const ElfImage& image) {
  const auto& sections = image.sections();
  return sections.empty() || std::any_of(sections.begin(), sections.end(), [](const ElfSection& section) {
           return section.name.starts_with(".go.") || section.name.starts_with(".note.go.") ||
                  section.name.ends_with(".gopclntab");
         });
}

}  // namespace

GcMarks::Program GcMarks::program(const UniqueFd& exe) {
  struct stat status {};
  if (::fstat(exe.get(), &status) != 0) return {};
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  const FileId id{.device = status.st_dev,
                  .inode = status.st_ino,
                  .bytes = status.st_size,
                  .changed_ns = status.st_ctim.tv_sec * kNsPerSecond + status.st_ctim.tv_nsec};
  if (programs_.size() >= kMostPrograms) programs_.clear();
  const auto [found, is_new] = programs_.try_emplace(id);
  Program& program = found->second;
  if (!is_new) return program;
  const auto image = ElfImage::open(UniqueFd(::fcntl(exe.get(), F_DUPFD_CLOEXEC, 0)), "the program");
  if (!image || !may_be_go(*image)) return program;
  const auto table = Pclntab::read(*image);
  if (!table) return program;
  program.is_go = true;
  if (const auto functions = find_gc_functions(*image, *table)) {
    program.places = GcPlaces{.start_offset = functions->start_offset,
                              .end_offset = functions->end_offset,
                              .has_trigger = functions->has_trigger};
  }
  return program;
}

std::string GcMarks::attach(std::uint32_t pid) {
  const ProcResult<UniqueFd> exe = proc_.open_file(static_cast<pid_t>(pid), "exe");
  const Program found = exe ? program(*exe) : Program{};
  if (!found.places) {
    probes_.detach(pid);  // of what it was before
    return found.is_go ? "the functions of its garbage collector were not found" : "";
  }
  // By our descriptor: /proc/PID/exe can be another file by now, where a breakpoint at
  // these offsets would break the program.
  const Status attached = probes_.attach(pid, fmt::format("/proc/self/fd/{}", exe->get()), *found.places);
  if (!attached) spdlog::debug("process {}: no garbage collections: {}", pid, attached.error().message);
  return attached ? "yes" : attached.error().message;
}

}  // namespace madvtrace
