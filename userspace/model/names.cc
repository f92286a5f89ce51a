// SPDX-License-Identifier: Apache-2.0
#include "model/names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace madvtrace {
namespace {

// uapi/asm-generic/mman-common.h of 6.18.
constexpr std::array kAdvices{
    std::pair{0, "MADV_NORMAL"},           std::pair{1, "MADV_RANDOM"},          std::pair{2, "MADV_SEQUENTIAL"},
    std::pair{3, "MADV_WILLNEED"},         std::pair{4, "MADV_DONTNEED"},        std::pair{8, "MADV_FREE"},
    std::pair{9, "MADV_REMOVE"},           std::pair{10, "MADV_DONTFORK"},       std::pair{11, "MADV_DOFORK"},
    std::pair{12, "MADV_MERGEABLE"},       std::pair{13, "MADV_UNMERGEABLE"},    std::pair{14, "MADV_HUGEPAGE"},
    std::pair{15, "MADV_NOHUGEPAGE"},      std::pair{16, "MADV_DONTDUMP"},       std::pair{17, "MADV_DODUMP"},
    std::pair{18, "MADV_WIPEONFORK"},      std::pair{19, "MADV_KEEPONFORK"},     std::pair{20, "MADV_COLD"},
    std::pair{21, "MADV_PAGEOUT"},         std::pair{22, "MADV_POPULATE_READ"},  std::pair{23, "MADV_POPULATE_WRITE"},
    std::pair{24, "MADV_DONTNEED_LOCKED"}, std::pair{25, "MADV_COLLAPSE"},       std::pair{100, "MADV_HWPOISON"},
    std::pair{101, "MADV_SOFT_OFFLINE"},   std::pair{102, "MADV_GUARD_INSTALL"}, std::pair{103, "MADV_GUARD_REMOVE"},
};

}  // namespace

std::string advice_name(std::int32_t advice) {
  const auto* const found =
      std::find_if(kAdvices.begin(), kAdvices.end(), [&](const auto& entry) { return entry.first == advice; });
  return found == kAdvices.end() ? std::to_string(advice) : found->second;
}

std::string_view comm_text(const Comm& comm) {
  const auto* const end = std::find(comm.begin(), comm.end(), '\0');
  return {comm.begin(), end};
}

}  // namespace madvtrace
