// SPDX-License-Identifier: Apache-2.0
#include "symbols/symbolizer.h"

#include <bcc/bcc_elf.h>
#include <bcc/bcc_syms.h>
#include <elf.h>

#include <array>
#include <string_view>

namespace madvtrace {
namespace {

// A symbol can be as long as a program likes; a line should not.
constexpr std::size_t kLongestName = 512;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

class ProcessSymbols::Cache {
 public:
  explicit Cache(std::uint32_t pid) : pid_(static_cast<int>(pid)), cache_(bcc_symcache_new(pid_, &options_)) {}
  ~Cache() { bcc_free_symcache(cache_, pid_); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  NativeSymbol symbol(std::uint64_t address) {
    bcc_symbol found{};
    // Demangling would be wrong for Go, whose names are what they are.
    const bool named = bcc_symcache_resolve_no_demangle(cache_, address, &found) == 0;
    NativeSymbol symbol;
    if (named && found.name != nullptr) symbol.name = std::string_view(found.name).substr(0, kLongestName);
    if (found.module != nullptr) symbol.module = file_name(found.module);
    symbol.offset = found.offset;
    return symbol;
  }

 private:
  bcc_symbol_option options_{.use_debug_file = 1,
                             .check_debug_file_crc = 0,
                             .lazy_symbolize = 1,
                             .use_symbol_type = (1U << STT_FUNC) | (1U << STT_GNU_IFUNC)};
  int pid_;
  void* cache_;
};

void Symbolizer::on_asked(ProcessSymbols& process) {
  known_.remove(&process);
  known_.push_front(&process);
  if (known_.size() <= kProcesses) return;
  known_.back()->cache_.reset();
  known_.pop_back();
}

ProcessSymbols::ProcessSymbols(Symbolizer& symbolizer, std::uint32_t pid) : symbolizer_(symbolizer), pid_(pid) {}
ProcessSymbols::~ProcessSymbols() { symbolizer_.on_gone(*this); }

NativeSymbol ProcessSymbols::symbol(std::uint64_t address) {
  symbolizer_.on_asked(*this);
  if (!cache_) cache_ = std::make_unique<Cache>(pid_);
  return cache_->symbol(address);
}

std::string build_id(const std::string& path) {
  // bcc_elf_get_buildid writes at most BPF_BUILD_ID_SIZE bytes in hex.
  std::array<char, 128> text{};
  if (bcc_elf_get_buildid(path.c_str(), text.data()) != 0) return {};
  return text.data();
}

}  // namespace madvtrace
