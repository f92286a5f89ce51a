// SPDX-License-Identifier: Apache-2.0
// Prints what the books of a Go process say, one NAME=NUMBER a line, without those that
// are not known.
//   go_books PID
#include <fmt/core.h>

#include <cstdint>
#include <cstdlib>
#include <optional>

#include "golang/books.h"
#include "tests/support/go_process.h"

namespace madvtrace {
namespace {

template <class Number>
void print(const char* name, const std::optional<Number>& number) {
  if (number) fmt::print("{}={}\n", name, *number);
}

int run(pid_t pid) {
  const auto reader = locate_books(pid);
  const auto books = reader ? reader->read(LiveProcessMemory(pid)) : fail(reader.error().message);
  if (!books) {
    fmt::print(stderr, "{}\n", books.error().message);
    return 1;
  }
  fmt::print("rung={}\n", kBooksRungNames[reader->rung()]);
  print("heap_sys", books->heap_sys_bytes);
  print("heap_inuse", books->heap_inuse_bytes);
  print("heap_idle", books->heap_idle_bytes);
  print("heap_released", books->heap_released_bytes);
  print("stack_inuse", books->stack_inuse_bytes);
  print("next_gc", books->next_gc_bytes);
  print("num_gc", books->num_gc);
  print("pause_total_ns", books->pause_total_ns);
  print("mallocs", books->mallocs);
  print("frees", books->frees);
  print("memory_limit", books->memory_limit_bytes);
  print("gc_percent", books->gc_percent);
  fmt::print("arenas={}\n", books->arenas.size());
  return 0;
}

}  // namespace
}  // namespace madvtrace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "go_books PID\n");
    return 2;
  }
  return madvtrace::run(std::atoi(argv[1]));
}
