// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf_session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/page_range.h"
#include "base/unique_fd.h"
#include "bpf/control.h"
#include "kernel/cgroup_subsystem.h"
#include "kernel/destroy_together.h"
#include "kernel/function_hook.h"
#include "kernel/kernel_types.h"
#include "kernel/libbpf_log.h"
#include "kernel/syscall_program.h"
#include "madvtrace.skel.h"

namespace madvtrace {
namespace {

// Indexed by enum wire_loss. Documented in docs/csv-schema.md.
constexpr std::array<const char*, WIRE_LOSSES> kLossNames{
    "call_ring_full",      "end_ring_full",       "range_ring_full",   "stack_ring_full",
    "process_ring_full",   "inflight_no_memory",  "target_table_full", "stack_unreadable",
    "page_walk_failed",    "pages_ring_full",     "gc_ring_full",      "refault_ring_full",
    "released_table_full", "reclaimed_ring_full", "rss_ring_full",     "rss_table_full"};

// The collector is woken when a sixteenth of the ring is full.
constexpr std::uint64_t kWakeupFraction = 16;

// Chunks of 2 MiB that have had pages given back: 64 GiB, in 5 MB of the kernel's memory.
constexpr std::uint32_t kReleasedChunks = 32768;

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

// Since 6.2; before, mm->rss_stat was a struct of one number a member.
bool rss_is_counted_in_parts(const KernelTypes& types) { return !types.has_struct("mm_rss_stat"); }

}  // namespace

void BpfSession::SkeletonDeleter::operator()(madvtrace_bpf* skeleton) const { madvtrace_bpf::destroy(skeleton); }

BpfSession::~BpfSession() {
  gc_probes_.reset();
  fault_events_.reset();
  destroy_together(std::move(links_));
}

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
  if (options.direct_map) {
    skeleton.rodata->direct_map_base = options.direct_map->base;
    skeleton.rodata->page_table_levels = options.direct_map->levels;
    skeleton.rodata->huge_zero_frame = options.direct_map->huge_zero_frame;
    session->huge_zero_page_ = options.direct_map->huge_zero_page;
  } else {
    bpf_program__set_autoload(skeleton.progs.run_walk_jobs, false);
  }
  // Before libbpf reads its own types: both take as much memory.
  if (const Status set_up = session->set_up_exact(options); !set_up) return tl::unexpected(set_up.error());
  leave_out_missing(reclaim_hooks(skeleton));
  session->watches_group_ = options.group;
  skeleton.rodata->tracer_pid = static_cast<std::uint32_t>(::getpid());
  bpf_program__set_autoload(skeleton.progs.on_cgroup_attach, options.group);
  bpf_program__set_autoload(skeleton.progs.leave_out, options.group);
  skeleton.rodata->record_refaults = options.refaults ? 1 : 0;
  bpf_program__set_autoload(skeleton.progs.on_page_fault, options.refaults);
  bpf_program__set_autoload(skeleton.progs.forget_released, options.refaults);
  if (options.refaults && bpf_map__set_max_entries(skeleton.maps.released, kReleasedChunks) != 0) {
    return fail("the table of released pages cannot be made that large");
  }
  // A kernel without uprobes would refuse them all because of these.
  const bool gc_marks = options.gc_marks && libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_KPROBE, nullptr) == 1;
  const bool multi = gc_marks && Uprobe::kernel_has_multi();
  for (bpf_program* const program : {skeleton.progs.on_gc_start_enter, skeleton.progs.on_gc_end_enter}) {
    bpf_program__set_autoload(program, gc_marks);
    Uprobe::load_for(program, multi);
  }
  const int error = madvtrace_bpf::load(&skeleton);
  if (error != 0) return tl::unexpected(load_error(-error));

  if (const Status begun = session->begin_exact(); !begun) return tl::unexpected(begun.error());
  auto ring = RingSource::over(bpf_map__fd(skeleton.maps.ring));
  if (!ring) return tl::unexpected(ring.error());
  session->ring_ = std::move(*ring);
  if (gc_marks) session->gc_probes_.emplace(skeleton.progs.on_gc_start_enter, skeleton.progs.on_gc_end_enter);
  if (options.refaults) session->fault_events_.emplace(skeleton.progs.on_page_fault);
  if (options.direct_map) {
    auto walker = PageWalker::over(bpf_program__fd(skeleton.progs.run_walk_jobs), bpf_map__fd(skeleton.maps.walk_jobs));
    if (!walker) return tl::unexpected(walker.error());
    session->walker_.emplace(std::move(*walker));
  }
  return session;
}

Status BpfSession::set_up_exact(const SessionOptions& options) {
  madvtrace_bpf& skeleton = *skeleton_;
  auto& programs = skeleton.progs;
  exact_ = options.exact;
  for (bpf_program* const program : {programs.on_rss_stat_parts, programs.on_rss_stat_count,
                                     programs.find_percpu_offsets, programs.tell_rss, programs.on_unmap_exit}) {
    bpf_program__set_autoload(program, options.exact);
  }
  if (!exact_) return {};
  const Result<KernelTypes> types = KernelTypes::load();
  if (!types) return tl::unexpected(types.error());
  const bool parts = rss_is_counted_in_parts(*types);
  bpf_program__set_autoload(parts ? programs.on_rss_stat_count : programs.on_rss_stat_parts, false);
  bpf_program__set_autoload(programs.find_percpu_offsets, parts);
  reclaim_moments_ = !options.direct_map ? Status(fail(ExitCode::kUnsupported, "needs the page walk"))
                                         : can_hook_exit(*types, "try_to_unmap_one");
  bpf_program__set_autoload(programs.on_unmap_exit, reclaim_moments_.has_value());
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0 || cpus > WIRE_RSS_CPUS) {
    return fail(ExitCode::kUnsupported, "--exact: this machine has more CPUs than it is made for");
  }
  skeleton.rodata->cpus = static_cast<std::uint32_t>(cpus);
  skeleton.rodata->record_rss = 1;
  return {};
}

Status BpfSession::begin_exact() {
  if (!exact_ || !bpf_program__autoload(skeleton_->progs.find_percpu_offsets)) return {};
  const bool ran = run_syscall_program(bpf_program__fd(skeleton_->progs.find_percpu_offsets));
  const auto& offsets = skeleton_->bss->percpu_offsets;
  const bool found = std::all_of(std::begin(offsets), std::next(std::begin(offsets), skeleton_->rodata->cpus),
                                 [](std::uint64_t offset) { return offset != 0; });
  // On a machine with a single CPU, without SMP, 0 is right.
  if (ran && (found || skeleton_->rodata->cpus == 1)) return {};
  return fail(ExitCode::kUnsupported, "--exact: where the CPUs keep their parts of RSS cannot be found on this kernel");
}

void BpfSession::tell_rss(std::uint32_t pid) {
  wire_rss_request request{.pid = pid, .reserved = 0};
  run_syscall_program(bpf_program__fd(skeleton_->progs.tell_rss), request);
}

std::vector<Hook> BpfSession::hooks() const {
  std::vector<Hook> hooks = base_hooks(*skeleton_);
  if (exact_) {
    for (Hook& hook : exact_hooks(*skeleton_)) hooks.push_back(std::move(hook));
  }
  if (watches_group_) hooks.push_back(group_hook(*skeleton_));
  return hooks;
}
std::vector<Hook> BpfSession::optional_hooks() const {
  std::vector<Hook> hooks = reclaim_hooks(*skeleton_);
  if (exact_) hooks.push_back(moment_hook(*skeleton_));
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
  const Result<TraceFs> tracefs = TraceFs::open();
  if (!tracefs) return tl::unexpected(tracefs.error());
  for (const Hook& hook : hooks()) {
    Result<Link> link = attach(hook, *tracefs);
    if (!link) {
      links_.clear();
      return tl::unexpected(link.error());
    }
    links_.push_back(std::move(*link));
  }
  for (const Hook& hook : optional_hooks()) {
    if (Result<Link> link = attach(hook, *tracefs)) links_.push_back(std::move(*link));
  }
  return {};
}

void BpfSession::stop_recording() { *static_cast<volatile __u32*>(&skeleton_->bss->recording_stopped) = 1; }

void BpfSession::detach_all() {
  if (gc_probes_) gc_probes_->detach_all();
  if (fault_events_) fault_events_->close_all();
  destroy_together(std::exchange(links_, {}));
  for (const Hook& hook : hooks()) {
    bpf_prog_info info{};
    std::uint32_t bytes = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(hook.program), &info, &bytes) != 0) continue;
    // What one hit of it would have counted, the next does.
    if (hook.name == "kmem:rss_stat") continue;
    // Not run because another BPF program was under way on the same CPU.
    if (info.recursion_misses != 0) misses_["program_not_run"] += info.recursion_misses;
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
  wire_target target{};
  if (exact_ && bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.targets), &pid, &target) == 0) {
    bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.address_spaces), &target.mm);
    bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.rss_changes), &pid);
  }
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
  std::int32_t subsystem = -1;
  if (!controllers.empty()) {
    const Result<std::int32_t> found = cgroup_subsystem(controllers);
    if (!found) return tl::unexpected(found.error());
    subsystem = *found;
  }
  *static_cast<volatile std::int32_t*>(&skeleton_->data->group_subsys) = subsystem;
  *static_cast<volatile std::int32_t*>(&skeleton_->data->group_level) = -1;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  *static_cast<volatile unsigned long long*>(&skeleton_->bss->group_id) = id;
  return find_targets();
}

std::optional<std::uint32_t> BpfSession::programs_run(std::uint32_t pid) const {
  wire_target target{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.targets), &pid, &target) != 0) return std::nullopt;
  return target.programs;
}

bool BpfSession::leave_out(std::uint32_t pid, std::uint32_t programs_run) {
  wire_leave_out request{.pid = pid, .programs = programs_run, .done = 0, .reserved = 0};
  return run_syscall_program(bpf_program__fd(skeleton_->progs.leave_out), request) && request.done == 1;
}

void BpfSession::make_room_for_released() {
  constexpr std::uint32_t kMuch = kReleasedChunks / 2;
  if (!fault_events_ || *static_cast<const volatile __u32*>(&skeleton_->bss->released_chunks) < kMuch) return;
  run_syscall_program(bpf_program__fd(skeleton_->progs.forget_released));
}

std::map<std::string, std::uint64_t> BpfSession::losses() const {
  std::map<std::string, std::uint64_t> losses = misses_;
  for (std::size_t i = 0; i < kLossNames.size(); ++i) {
    // Written by the kernel side at any time.
    const std::uint64_t count = *static_cast<const volatile unsigned long long*>(&skeleton_->bss->losses[i]);
    if (count != 0) losses[kLossNames.at(i)] = count;
  }
  const std::uint64_t unwatched = fault_events_ ? fault_events_->failures() : 0;
  if (unwatched != 0) losses["faults_not_watched"] = unwatched;
  return losses;
}

}  // namespace madvtrace
