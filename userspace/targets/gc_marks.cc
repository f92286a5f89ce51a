// SPDX-License-Identifier: Apache-2.0
#include "targets/gc_marks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "golang/gc_functions.h"

namespace madvtrace {

const std::optional<GcPlaces>& GcMarks::places(const std::shared_ptr<const GoModule>& module) {
  if (places_.size() >= GoModules::kFiles) places_.clear();
  const auto [found, is_new] = places_.try_emplace(module);
  if (!is_new) return found->second;
  if (const auto functions = find_gc_functions(module->image, module->functions)) {
    found->second = GcPlaces{.start_offset = functions->start_offset,
                             .end_offset = functions->end_offset,
                             .has_trigger = functions->has_trigger};
  }
  return found->second;
}

std::string GcMarks::attach(std::uint32_t pid) {
  const ProcResult<UniqueFd> exe = proc_.open_file(static_cast<pid_t>(pid), "exe");
  const std::shared_ptr<const GoModule> module =
      exe ? modules_.get(UniqueFd(::fcntl(exe->get(), F_DUPFD_CLOEXEC, 0)), /*executable=*/true,
                         fmt::format("/proc/{}/exe", pid))
          : nullptr;
  if (!module || !places(module)) {
    probes_.detach(pid);  // of what it was before
    return module ? "the functions of its garbage collector were not found" : "";
  }
  // By our descriptor: /proc/PID/exe can be another file by now, where a breakpoint at
  // these offsets would break the program.
  const Status attached = probes_.attach(pid, fmt::format("/proc/self/fd/{}", exe->get()), *places(module));
  if (!attached) spdlog::debug("process {}: no garbage collections: {}", pid, attached.error().message);
  return attached ? "yes" : attached.error().message;
}

}  // namespace madvtrace
