// SPDX-License-Identifier: Apache-2.0
// Where the kernel's direct map begins and how many levels its page tables have:
// what the page walk has to know, found without kernel symbols and proved.
//
// The top table of our own address space lies in the direct map, at an address the
// BPF side can tell. The base is a multiple of 1 GiB at or below it (KASLR moves it
// by whole PUDs: arch/x86/mm/kaslr.c). A candidate is right if walking our own pages
// with it gives the frames that /proc/self/pagemap gives. Measured on 6.1, 6.12,
// 6.18 and with five levels on 6.12.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"

namespace madvtrace {

// Keeps the huge zero page mapped, so that its frame stays what it is: the kernel
// frees it when nobody uses it, and makes another one later.
class HugeZeroPage {
 public:
  HugeZeroPage();
  ~HugeZeroPage();
  HugeZeroPage(const HugeZeroPage&) = delete;
  HugeZeroPage& operator=(const HugeZeroPage&) = delete;
  const void* address() const { return address_; }  // aligned; null if it could not be mapped

 private:
  void* mapping_ = nullptr;
  void* address_ = nullptr;
};

struct DirectMap {
  std::uint64_t base = 0;
  std::uint32_t levels = 0;           // 4 or 5
  std::uint64_t huge_zero_frame = 0;  // 0: none is in use
  std::shared_ptr<HugeZeroPage> huge_zero_page;
};

// Fails with kUnsupported where the page walk cannot be had: not x86-64, no CAP_SYS_ADMIN,
// memory encryption, an unknown layout.
Result<DirectMap> find_direct_map();

}  // namespace madvtrace
