// SPDX-License-Identifier: Apache-2.0
#include "symbols/symbolizer.h"

#include <bcc/bcc_elf.h>
#include <bcc/bcc_syms.h>
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace madvtrace {
namespace {

// A symbol can be as long as a program likes; a line should not.
constexpr std::size_t kLongestName = 512;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

class Symbolizer::Cache {
 public:
  explicit Cache(std::uint32_t pid) : pid_(static_cast<int>(pid)), cache_(bcc_symcache_new(pid_, &options_)) {}
  ~Cache() { bcc_free_symcache(cache_, pid_); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  std::string name(std::uint64_t address) {
    bcc_symbol symbol{};
    // Demangling would be wrong for Go, whose names are what they are.
    const bool found = bcc_symcache_resolve_no_demangle(cache_, address, &symbol) == 0;
    if (found && symbol.name != nullptr) return std::string(std::string_view(symbol.name).substr(0, kLongestName));
    if (symbol.module != nullptr) return fmt::format("{}+{:#x}", file_name(symbol.module), symbol.offset);
    return fmt::format("{:#x}", address);
  }

 private:
  bcc_symbol_option options_{.use_debug_file = 1,
                             .check_debug_file_crc = 0,
                             .lazy_symbolize = 1,
                             .use_symbol_type = (1U << STT_FUNC) | (1U << STT_GNU_IFUNC)};
  int pid_;
  void* cache_;
};

Symbolizer::Symbolizer() = default;
Symbolizer::~Symbolizer() = default;

std::string Symbolizer::frames(std::uint32_t pid, std::span<const std::uint64_t> addresses) {
  std::unique_ptr<Cache>& cache = caches_[pid];
  if (!cache) cache = std::make_unique<Cache>(pid);
  std::string frames;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    // Above the leaf an address is where a call returns to, which may be the next
    // function already: look at the call itself.
    const std::uint64_t address = i == 0 || addresses[i] == 0 ? addresses[i] : addresses[i] - 1;
    std::string name = cache->name(address);
    std::replace(name.begin(), name.end(), ';', ':');
    if (!frames.empty()) frames += ';';
    frames += name;
  }
  return frames;
}

void Symbolizer::forget(std::uint32_t pid) { caches_.erase(pid); }

std::string build_id(const std::string& path) {
  // bcc_elf_get_buildid writes at most BPF_BUILD_ID_SIZE bytes in hex.
  std::array<char, 128> text{};
  if (bcc_elf_get_buildid(path.c_str(), text.data()) != 0) return {};
  return text.data();
}

}  // namespace madvtrace
