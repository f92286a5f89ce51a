// SPDX-License-Identifier: Apache-2.0
#include "targets/gc_marks.h"

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

std::string GcMarks::attach(std::uint32_t pid, const Program& program) {
  if (!program.go || !places(program.go)) {
    probes_.detach(pid);  // of what it was before
    return program.go ? "the functions of its garbage collector were not found" : "";
  }
  // By our descriptor: in another file a breakpoint at these offsets would break the program.
  const Status attached = probes_.attach(pid, program.path(), *places(program.go));
  if (!attached) spdlog::debug("process {}: no garbage collections: {}", pid, attached.error().message);
  return attached ? "yes" : attached.error().message;
}

}  // namespace madvtrace
