// SPDX-License-Identifier: Apache-2.0
// What the readers of Go programs find in programs that nobody here built.
//   go_binaries (FILE GO_VERSION FOUND_IN FUNCTIONS)…
// Prints a table, and exits with 1 if anything in it is not as expected. In programs with
// symbols every function must be where its symbol is.
#include <fcntl.h>
#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "golang/build_info.h"
#include "golang/elf_image.h"
#include "golang/pclntab.h"

namespace madvtrace {
namespace {

struct Expected {
  std::string path;
  std::string version;
  std::string found_in;
  std::size_t functions = 0;
};

// Of a program with symbols, how many functions are not at theirs.
std::string misplaced(const ElfImage& image, const Pclntab& table) {
  if (!image.symbol("runtime.gcStart")) return "stripped";
  std::size_t count = 0;
  for (std::size_t number = 0; number < table.size(); ++number) {
    std::string name = table.function(number)->name;
    if (name.size() >= ElfImage::kNameLimitBytes) continue;
    // Go's linker writes a middle dot as a dot into the symbol table (putelfsym).
    constexpr std::string_view kMiddleDot = "·";
    const std::size_t dot = name.find(kMiddleDot);
    if (dot != std::string::npos) {
      name[dot] = '.';
      name.erase(dot + 1, kMiddleDot.size() - 1);
    }
    if (image.symbol(name) != table.function(number)->code.begin) ++count;
  }
  return std::to_string(count);
}

bool check(const Expected& expected) {
  const auto image = ElfImage::open(UniqueFd(::open(expected.path.c_str(), O_RDONLY | O_CLOEXEC)), expected.path);
  if (!image) {
    fmt::print("{}\n", image.error().message);
    return false;
  }
  const auto begin = std::chrono::steady_clock::now();
  const BuildInfo info = read_build_info(*image);
  const auto table = Pclntab::read(*image);
  const auto gc_start = table ? table->find("runtime.gcStart") : std::nullopt;
  const auto took = std::chrono::steady_clock::now() - begin;
  const bool gc_start_found = gc_start && table->at(gc_start->code.end - 1)->code == gc_start->code;
  const std::string wrong_symbols = table ? misplaced(*image, *table) : "no table";
  const std::string version = info.version ? info.version->text : "unknown";
  const std::size_t functions = table ? table->size() : 0;
  const bool good = version == expected.version && kVersionSourceNames[info.found_in] == expected.found_in &&
                    functions == expected.functions && gc_start_found &&
                    (wrong_symbols == "0" || wrong_symbols == "stripped");

  // The package, of ".../PACKAGE/bin/NAME".
  std::string package = expected.path.substr(0, expected.path.rfind("/bin/"));
  package.erase(0, package.rfind('/') + 1);
  fmt::print(
      "{:<26} {:<10} {:<10} {:>9} {:>9} {:>9} {:>8.1f} {}\n", package, version, kVersionSourceNames[info.found_in],
      functions, gc_start_found ? fmt::format("{:#x}", gc_start->code.begin) : "none", wrong_symbols,
      std::chrono::duration<double, std::milli>(took).count(),
      good ? "" : fmt::format("WRONG: should be {} {} {}", expected.version, expected.found_in, expected.functions));
  return good;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.size() % 4 != 0) {
    fmt::print(stderr, "go_binaries (FILE GO_VERSION FOUND_IN FUNCTIONS)…\n");
    return 2;
  }
  fmt::print("{:<26} {:<10} {:<10} {:>9} {:>9} {:>9} {:>8}\n", "program", "version", "found in", "functions", "gcStart",
             "misplaced", "ms");
  bool good = true;
  for (std::size_t at = 0; at < arguments.size(); at += 4) {
    good &= check({.path = arguments[at],
                   .version = arguments[at + 1],
                   .found_in = arguments[at + 2],
                   .functions = std::stoul(arguments[at + 3])});
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace madvtrace

int main(int argc, char** argv) { return madvtrace::run({argv + 1, argv + argc}); }
