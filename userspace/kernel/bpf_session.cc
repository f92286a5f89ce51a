// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf_session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <utility>

#include "base/losses.h"
#include "base/page_range.h"
#include "base/unique_fd.h"
#include "bpf/control.h"
#include "kernel/destroy_together.h"
#include "kernel/libbpf_log.h"
#include "madvtrace.skel.h"

namespace madvtrace {
namespace {

// The first of the table of losses are those of enum wire_loss, in its order.
static_assert(static_cast<int>(LossCause::kCallRingFull) == WIRE_LOST_CALL_RING);
static_assert(static_cast<int>(LossCause::kStackUnreadable) == WIRE_LOST_STACK_UNREAD);
static_assert(static_cast<int>(LossCause::kRssTableFull) == WIRE_LOSSES - 1);

// The collector is woken when a sixteenth of the ring is full.
constexpr std::uint64_t kWakeupFraction = 16;

Error load_error(int error) {
  const std::string said = take_first_libbpf_warning();
  const std::string why = errno_text("the kernel refused the BPF programs", error);
  const std::string advice = error == EPERM
                                 ? "; needs root (CAP_BPF, CAP_PERFMON) and a kernel and sandbox that allow bpf()"
                                 : "; run madvtrace doctor, or again with -v for the whole log";
  return {ExitCode::kUnsupported, why + advice + (said.empty() ? "" : " [" + said.substr(0, said.find('\n')) + "]")};
}

// A program on a tracepoint that this kernel was built without would keep all from loading.
// libbpf finds out with the kernel's types that it needs for the load anyway.
void leave_out_missing(const std::vector<Hook>& hooks) {
  for (const Hook& hook : hooks) {
    if (!hook.optional || !bpf_program__autoload(hook.program)) continue;
    const std::string name = hook.name.substr(hook.name.find(':') + 1);
    if (bpf_program__set_attach_target(hook.program, 0, name.c_str()) == 0) continue;
    bpf_program__set_autoload(hook.program, false);
  }
  take_first_libbpf_warning();  // that there is none
}

// Field by field in this order, which reclaim_sums.h promises.
ReclaimSum read_sum(const volatile wire_reclaim_sum& now) {
  return {.ended = now.ended, .pages = now.pages, .begun = now.begun, .begun_ns = now.begun_ns};
}

template <class T, class... Arguments>
T* add(std::vector<std::unique_ptr<Tier>>& tiers, Arguments&&... arguments) {
  auto tier = std::make_unique<T>(std::forward<Arguments>(arguments)...);
  T* const added = tier.get();
  tiers.push_back(std::move(tier));
  return added;
}

}  // namespace

void BpfSession::SkeletonDeleter::operator()(madvtrace_bpf* skeleton) const { madvtrace_bpf::destroy(skeleton); }

BpfSession::~BpfSession() { destroy_together(std::move(links_)); }

Result<std::unique_ptr<BpfSession>> BpfSession::load(const SessionOptions& options) {
  capture_libbpf_log();
  take_first_libbpf_warning();
  std::unique_ptr<BpfSession> session(new BpfSession);
  session->skeleton_.reset(madvtrace_bpf::open());
  if (!session->skeleton_) return tl::unexpected(load_error(errno));
  madvtrace_bpf& skeleton = *session->skeleton_;

  const std::uint64_t ring_bytes = std::bit_ceil(std::max(options.ring_bytes, kPageBytes));
  if (ring_bytes > UINT32_MAX ||
      bpf_map__set_max_entries(skeleton.maps.ring, static_cast<std::uint32_t>(ring_bytes)) != 0) {
    return fail(ExitCode::kUsage, "the ring buffer cannot be that large: at most 2GiB");
  }
  skeleton.rodata->wakeup_bytes = ring_bytes / kWakeupFraction;
  session->add_tiers(options);
  for (const auto& tier : session->tiers_) {
    MADV_TRY(tier->configure());
  }
  // Last, since libbpf then keeps the kernel's types until the load: a tier that reads them too takes as much memory.
  leave_out_missing(session->hooks());
  const int error = madvtrace_bpf::load(&skeleton);
  if (error != 0) return tl::unexpected(load_error(-error));

  for (const auto& tier : session->tiers_) {
    MADV_TRY(tier->begin());
  }
  MADV_TAKE(session->ring_, RingSource::over(bpf_map__fd(skeleton.maps.ring)));
  return session;
}

void BpfSession::add_tiers(const SessionOptions& options) {
  base_ = add<BaseTier>(tiers_, *skeleton_, options.direct_map, options.gc_marks);
  if (options.exact) exact_ = add<ExactTier>(tiers_, *skeleton_, options.direct_map.has_value());
  if (options.group) group_ = add<GroupTier>(tiers_, *skeleton_);
  if (options.refaults) refaults_ = add<RefaultsTier>(tiers_, *skeleton_);
}

void BpfSession::tell_rss(std::uint32_t pid) {
  if (exact_ != nullptr) exact_->tell(pid);
}

Status BpfSession::reclaim_moments() const {
  return exact_ != nullptr ? exact_->moments() : fail(ExitCode::kUnsupported, "not asked for");
}

std::vector<Hook> BpfSession::hooks() const {
  std::vector<Hook> hooks;
  for (const auto& tier : tiers_) {
    for (Hook& hook : tier->hooks()) hooks.push_back(std::move(hook));
  }
  std::stable_partition(hooks.begin(), hooks.end(), [](const Hook& hook) { return !hook.optional; });
  return hooks;
}

ReclaimSums BpfSession::reclaims() const {
  static_assert(std::tuple_size_v<ReclaimSums> == WIRE_RECLAIMERS);
  ReclaimSums sums;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums.at(i) = read_sum(skeleton_->bss->reclaimed[i]);
  }
  return sums;
}

ReclaimSum BpfSession::reclaims_by(std::uint32_t pid) const {
  wire_target target{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.targets), &pid, &target) != 0) return {};
  return read_sum(target.reclaims);
}

Status BpfSession::attach_all() {
  MADV_TAKE(const TraceFs tracefs, TraceFs::open());
  for (const Hook& hook : hooks()) {
    Result<Link> link = attach(hook, tracefs);
    if (link) {
      links_.push_back(std::move(*link));
    } else if (!hook.optional) {
      links_.clear();
      return tl::unexpected(link.error());
    }
  }
  return {};
}

void BpfSession::stop_recording() { *static_cast<volatile __u32*>(&skeleton_->bss->recording_stopped) = 1; }

void BpfSession::detach_all() {
  destroy_together(std::exchange(links_, {}));
  for (const Hook& hook : hooks()) {
    if (hook.optional || hook.catches_up) continue;
    bpf_prog_info info{};
    std::uint32_t bytes = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(hook.program), &info, &bytes) != 0) continue;
    // Not run because another BPF program was under way on the same CPU.
    if (info.recursion_misses != 0) misses_[loss_name(LossCause::kProgramNotRun)] += info.recursion_misses;
  }
}

Status BpfSession::add_target(std::uint32_t pid, bool follow) {
  const wire_target target{
      .mm = 0, .flags = follow ? static_cast<std::uint32_t>(WIRE_TARGET_FOLLOW) : 0U, .programs = 0, .reclaims = {}};
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.targets), &pid, &target, BPF_ANY) != 0) {
    return fail(errno_text("cannot add process " + std::to_string(pid) + " to the traced ones", errno));
  }
  return {};
}

void BpfSession::remove_target(std::uint32_t pid) {
  if (exact_ != nullptr) exact_->forget(pid);
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.targets), &pid);
}

Status BpfSession::find_targets() {
  const Link link(bpf_program__attach_iter(skeleton_->progs.find_targets, nullptr));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("cannot list the tasks", errno));
  const UniqueFd iterator(bpf_iter_create(bpf_link__fd(link.get())));
  if (!iterator) return fail(ExitCode::kUnsupported, errno_text("cannot list the tasks", errno));
  std::array<char, 64> nothing{};
  for (;;) {
    const ssize_t got = ::read(iterator.get(), nothing.data(), nothing.size());
    if (got == 0) return {};
    if (got < 0 && errno != EAGAIN && errno != EINTR) return fail(errno_text("cannot list the tasks", errno));
  }
}

Status BpfSession::watch_group(std::uint64_t id, const std::vector<std::string>& controllers) {
  if (group_ == nullptr) return fail("no group was to be watched when the programs were loaded");
  return group_->watch(id, controllers).and_then([&] { return find_targets(); });
}

std::optional<std::uint32_t> BpfSession::programs_run(std::uint32_t pid) const {
  wire_target target{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.targets), &pid, &target) != 0) return std::nullopt;
  return target.programs;
}

bool BpfSession::leave_out(std::uint32_t pid, std::uint32_t programs_run) {
  return group_ != nullptr && group_->leave_out(pid, programs_run);
}

void BpfSession::make_room_for_released() {
  if (refaults_ != nullptr) refaults_->make_room();
}

std::map<std::string, std::uint64_t> BpfSession::losses() const {
  std::map<std::string, std::uint64_t> losses = misses_;
  for (std::size_t i = 0; i < WIRE_LOSSES; ++i) {
    // Written by the kernel side at any time.
    const std::uint64_t count = *static_cast<const volatile unsigned long long*>(&skeleton_->bss->losses[i]);
    if (count != 0) losses[loss_name(static_cast<LossCause>(i))] = count;
  }
  const std::uint64_t unwatched = refaults_ != nullptr ? refaults_->events().failures() : 0;
  if (unwatched != 0) losses[loss_name(LossCause::kFaultsNotWatched)] = unwatched;
  return losses;
}

}  // namespace madvtrace
