// SPDX-License-Identifier: Apache-2.0
#include "targets/go_runtime.h"

#include <utility>

#include "golang/expected_advice.h"
#include "golang/process_memory.h"
#include "model/advice.h"
#include "procfs/environ.h"

namespace madvtrace {

GoRuntime::GoRuntime(const ProcRoot& proc, std::uint32_t pid, const GoFacts& facts, FoundBooks books)
    : pid_(pid), books_(std::move(books)) {
  program_.is_go = true;
  program_.build_id = facts.build_id;
  if (const auto environment = read_environ(proc, static_cast<pid_t>(pid)))
    program_.godebug = environment->find("GODEBUG").value_or("");
  if (facts.version) {
    program_.version = facts.version->text;
    const auto advice = expected_advice(*facts.version, facts.default_godebug, program_.godebug);
    program_.expected_advice = advice == ReleaseAdvice::kFree ? kMadvFree : kMadvDontneed;
  }
  program_.books_why_not = books_.why_not;
  if (books_.reader) program_.books = kBooksRungNames[books_.reader->rung()];
}

GoRuntime::Reading GoRuntime::read(std::optional<std::uint64_t> address_space_bytes) {
  if (!books_.reader) return {};
  const LiveProcessMemory memory(static_cast<pid_t>(pid_));
  Result<GoBooks> books = books_.reader->read(memory, {.address_space_bytes = address_space_bytes});
  if (!books) return {.dropped = has_answered_ ? books.error().message : ""};
  has_answered_ = true;
  return {.heap = static_cast<const GoHeap&>(*books), .arenas = std::move(books->arenas)};
}

}  // namespace madvtrace
