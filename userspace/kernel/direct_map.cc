// SPDX-License-Identifier: Apache-2.0
#include "kernel/direct_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/page_range.h"
#include "base/unique_fd.h"
#include "bpf/probe.h"
#include "kernel/libbpf_log.h"
#include "kernel/syscall_program.h"
#include "probe.skel.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kHugeBytes = std::uint64_t{1} << 21;
constexpr std::uint64_t kCandidates = 65536;  // 64 TiB below the top table
constexpr std::uint64_t kFrameMask = 0x000ffffffffff000;
constexpr std::uint64_t kPresent = 1;
constexpr unsigned kPageShift = 12;

struct ProbeDeleter {
  void operator()(probe_bpf* skeleton) const { probe_bpf::destroy(skeleton); }
};
using ProbeSkeleton = std::unique_ptr<probe_bpf, ProbeDeleter>;

// Pages of our own, far enough apart to lie in different frames, and their frames.
class OwnPages {
 public:
  static constexpr std::size_t kPages = 8;
  static constexpr std::size_t kStride = 16 * kPageBytes;

  OwnPages() {
    void* const at = ::mmap(nullptr, kPages * kStride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return;
    memory_ = static_cast<volatile char*>(at);
    ::madvise(at, kPages * kStride, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i < kPages; ++i) memory_[i * kStride] = 1;
  }
  ~OwnPages() {
    if (memory_ != nullptr) ::munmap(const_cast<char*>(memory_), kPages * kStride);
  }
  OwnPages(const OwnPages&) = delete;
  OwnPages& operator=(const OwnPages&) = delete;

  std::uint64_t address(std::size_t page) const { return reinterpret_cast<std::uintptr_t>(memory_) + page * kStride; }

  // /proc/self/pagemap; frames are 0 without CAP_SYS_ADMIN (since 4.2).
  bool read_frames(std::array<std::uint64_t, kPages>& frames) const {
    const UniqueFd fd(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    if (!fd || memory_ == nullptr) return false;
    for (std::size_t i = 0; i < kPages; ++i) {
      std::uint64_t entry = 0;
      const auto offset = static_cast<off_t>(address(i) / kPageBytes * sizeof(entry));
      if (::pread(fd.get(), &entry, sizeof(entry), offset) != sizeof(entry)) return false;
      constexpr std::uint64_t kFrameBits = (std::uint64_t{1} << 55) - 1;
      frames.at(i) = entry & kFrameBits;
      if (frames.at(i) == 0) return false;
    }
    return true;
  }

 private:
  volatile char* memory_ = nullptr;
};

std::optional<probe_translation> translate(int program, std::uint64_t base, std::uint32_t levels,
                                           std::uint64_t address) {
  probe_translation probe{.base = base, .address = address, .levels = levels, .huge = 0, .pgd = 0, .entry = 0};
  return run_syscall_program(program, probe) ? std::optional(probe) : std::nullopt;
}

bool is_base(int program, std::uint64_t base, std::uint32_t levels, const OwnPages& pages,
             const std::array<std::uint64_t, OwnPages::kPages>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto probe = translate(program, base, levels, pages.address(i));
    if (!probe || (probe->entry & kPresent) == 0 || (probe->entry & kFrameMask) >> kPageShift != frames.at(i)) {
      return false;
    }
  }
  return true;
}

tl::unexpected<Error> no_page_walk(const std::string& why) {
  return fail(ExitCode::kUnsupported, "no page walk: " + why);
}

}  // namespace

HugeZeroPage::HugeZeroPage() {
  void* const at = ::mmap(nullptr, 2 * kHugeBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  mapping_ = at;
  const auto aligned = (reinterpret_cast<std::uintptr_t>(at) + kHugeBytes - 1) & ~(kHugeBytes - 1);
  void* const address = reinterpret_cast<void*>(aligned);
  if (::madvise(address, kHugeBytes, MADV_HUGEPAGE) != 0) return;  // no huge pages in this kernel
  // A read fault on untouched memory maps it.
  static_cast<void>(*static_cast<const volatile char*>(address));
  address_ = address;
}

HugeZeroPage::~HugeZeroPage() {
  if (mapping_ != nullptr) ::munmap(mapping_, 2 * kHugeBytes);
}

Result<DirectMap> find_direct_map() {
#if !defined(__x86_64__)
  return no_page_walk("only written for x86-64");
#endif
  capture_libbpf_log();
  take_first_libbpf_warning();
  const ProbeSkeleton skeleton(probe_bpf::open_and_load());
  if (!skeleton) return no_page_walk(errno_text("the probe cannot be loaded", errno));
  const int program = bpf_program__fd(skeleton->progs.translate);

  const OwnPages pages;
  std::array<std::uint64_t, OwnPages::kPages> frames{};
  if (!pages.read_frames(frames)) return no_page_walk("/proc/self/pagemap gives no frame numbers (CAP_SYS_ADMIN?)");
  const auto own = translate(program, 0, 4, pages.address(0));
  if (!own || own->pgd == 0) return no_page_walk("the probe cannot be run");

  for (const std::uint32_t levels : {4U, 5U}) {
    const std::uint64_t top = own->pgd & ~(kGiB - 1);
    for (std::uint64_t candidate = 0; candidate < kCandidates; ++candidate) {
      const std::uint64_t base = top - candidate * kGiB;
      if (!is_base(program, base, levels, pages, frames)) continue;
      DirectMap map{.base = base, .levels = levels, .huge_zero_page = std::make_shared<HugeZeroPage>()};
      const auto address = reinterpret_cast<std::uintptr_t>(map.huge_zero_page->address());
      const auto zero = address != 0 ? translate(program, base, levels, address) : std::nullopt;
      if (zero && zero->huge != 0) map.huge_zero_frame = (zero->entry & kFrameMask & ~(kHugeBytes - 1)) >> kPageShift;
      return map;
    }
  }
  return no_page_walk("the kernel's direct map was not found (memory encryption, or an unknown layout)");
}

}  // namespace madvtrace
