// SPDX-License-Identifier: Apache-2.0
#include "app/tracer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGCHLD
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "app/collector.h"
#include "app/command.h"
#include "app/event_loop.h"
#include "app/exit_code.h"
#include "app/run_info.h"
#include "base/clock.h"
#include "bpf/control.h"
#include "containers/find_group.h"
#include "kernel/privileges.h"
#include "targets/target_check.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kDrainIntervalNs = 50'000'000;
constexpr std::uint64_t kSearchIntervalNs = 100'000'000;  // a search reads files of runtimes and of /proc

Result<DirectMap> direct_map_for(const Options& options) {
  if (!options.page_walk) return fail(ExitCode::kUnsupported, "no page walk: switched off by --no-page-walk");
  Result<DirectMap> map = find_direct_map();
  if (!map) spdlog::warn("{}; resident bytes are sampled instead", map.error().message);
  return map;
}

Status gc_marks_for(const Options& options, BpfSession& session) {
  if (!options.gc_marks) return fail(ExitCode::kUnsupported, "switched off by --no-gc-marks");
  if (session.gc_probes() == nullptr) {
    return fail(ExitCode::kUnsupported, "this kernel has no uprobes for BPF programs");
  }
  return {};
}

// Before anything is created.
Status check_paths(const Options& options) {
  if (options.record_path && ::access(options.record_path->c_str(), F_OK) == 0) {
    return fail(ExitCode::kUsage, *options.record_path + " exists already; name a file that does not");
  }
  if (options.ready_fd && ::fcntl(*options.ready_fd, F_GETFD) < 0) {
    return fail(ExitCode::kUsage, fmt::format("--ready-fd {}: not an open file descriptor", *options.ready_fd));
  }
  return {};
}

class Tracer {
 public:
  explicit Tracer(const Options& options) : options_(options) {}

  Result<ExitCode> run() {
    return prepare()
        .and_then([this] { return begin(); })
        .and_then([this] { return set_up_loop(); })
        .and_then([this] { return loop_->run(); })
        .and_then([this] { return end(); });
  }

 private:
  Status prepare();
  Status begin();
  Status set_up_loop();
  Result<ExitCode> end();

  Result<FoundGroup> search_group() const { return find_group("", *proc_, *options_.group); }
  Status begin_group();
  void look_for_group();
  Status count_duration();
  void end_with_group();
  void drain();
  void tick();
  void check(const Status& status);
  void stop_if_over();
  void report_command();

  const Options& options_;
  std::optional<ProcRoot> proc_;
  std::unique_ptr<BpfSession> session_;
  std::unique_ptr<Outputs> outputs_;
  std::optional<Collector> collector_;
  std::optional<Command> command_;
  std::optional<FoundGroup> group_;
  std::unique_ptr<EventLoop> loop_;
  UniqueFd again_;  // readable: the last drain left something behind
  std::optional<Error> failure_;
};

Status Tracer::prepare() {
  MADV_TRY(check_paths(options_));
  MADV_TAKE(proc_, ProcRoot::open("/proc"));
  for (const std::uint32_t pid : options_.pids) {
    MADV_TRY(check_target(*proc_, pid));
  }
  if (options_.group) {
    Result<FoundGroup> found = search_group();
    if (found) group_ = std::move(*found);
    if (!found && !(found.error().failure == Failure::kAbsent && options_.wait_for_group)) {
      return tl::unexpected(found.error());
    }
  }
  if (!options_.command.empty()) {
    MADV_TRY(check_program(options_.command[0]));
  }
  MADV_TRY(check_privileges());

  const Result<DirectMap> direct_map = direct_map_for(options_);
  if (options_.refaults && !direct_map) {
    return fail(ExitCode::kUnsupported, "--refaults needs the page walk, which this kernel does not let us do");
  }
  MADV_TAKE(session_, BpfSession::load({.ring_bytes = options_.ring_bytes,
                                        .direct_map = direct_map ? std::optional(*direct_map) : std::nullopt,
                                        .gc_marks = options_.gc_marks,
                                        .group = options_.group.has_value(),
                                        .refaults = options_.refaults,
                                        .exact = options_.exact}));
  MADV_TRY(session_->attach_all());

  MADV_TAKE(outputs_, Outputs::create(options_));
  std::optional<RecordingWriter> recording;
  if (options_.record_path) {
    MADV_TAKE(recording, RecordingWriter::create(*options_.record_path));
  }
  collector_.emplace(*session_, *proc_, *outputs_, std::move(recording), options_.walk_budget);
  const Status& moments = session_->reclaim_moments();
  if (options_.exact && !moments) {
    spdlog::warn("{}: when a page is reclaimed is known as an interval only", moments.error().message);
  }
  collector_->emit(describe_run(options_, direct_map, gc_marks_for(options_, *session_), moments));
  return {};
}

Status Tracer::begin_group() {
  const auto levels = std::count(group_->path.begin(), group_->path.end(), '/');
  if (levels >= WIRE_GROUP_LEVELS) return fail(ExitCode::kUsage, group_->directory + ": too deep in its hierarchy");
  const Status watched = collector_->watch_group(*group_, *options_.group, /*go_only=*/!options_.all_programs);
  if (watched && !options_.quiet) spdlog::info("tracing {}: {}", *options_.group, group_->directory);
  return watched;
}

void Tracer::look_for_group() {
  if (group_) return;
  Result<FoundGroup> found = search_group();
  if (found) {
    group_ = std::move(*found);
    check(begin_group().and_then([this] { return count_duration(); }));
  } else if (found.error().failure != Failure::kAbsent) {
    check(tl::unexpected(found.error()));
  }
}

// A group cannot be removed while anything is in it, so there is nothing more to see.
void Tracer::end_with_group() {
  if (!collector_->group_gone()) return;
  if (!options_.quiet) spdlog::info("{} was removed: the trace ends", group_->directory);
  loop_->stop();
}

// With --wait it begins when the group does.
Status Tracer::count_duration() {
  if (!options_.duration_ns) return {};
  return loop_->after(*options_.duration_ns, [this] { loop_->stop(); });
}

Status Tracer::begin() {
  std::vector<std::uint32_t> pids = options_.pids;
  if (!options_.command.empty()) {
    MADV_TAKE(command_, Command::start_held(options_.command));
    pids.push_back(command_->pid());
  }
  for (const std::uint32_t pid : pids) {
    // Its faults are seen before anything that it releases is noted.
    MADV_TRY(collector_->targets().add(pid));
    MADV_TRY(session_->add_target(pid, options_.follow_forks));
  }
  MADV_TRY(group_ ? begin_group() : session_->find_targets());
  if (options_.group && !group_ && !options_.quiet) spdlog::info("waiting for {}", *options_.group);
  // Describes the targets and takes their first samples.
  MADV_TRY(collector_->drain(/*all=*/false));
  return {};
}

Status Tracer::set_up_loop() {
  MADV_TAKE(loop_, EventLoop::create());
  again_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!again_) return fail(errno_text("eventfd", errno));

  Status status = loop_->on_signals([this](int number) {
    if (number != SIGCHLD) loop_->stop();
  });
  const auto then = [&](auto&& next) {
    if (status) status = next();
  };
  then([&] { return loop_->on_readable(session_->ring().epoll_fd(), [this] { drain(); }); });
  then([&] {
    return loop_->on_readable(again_.get(), [this] {
      std::uint64_t count = 0;
      if (::read(again_.get(), &count, sizeof(count)) == sizeof(count)) drain();
    });
  });
  then([&] { return loop_->every(kDrainIntervalNs, [this] { drain(); }); });
  then([&] { return loop_->every(options_.interval_ns, [this] { tick(); }); });
  if (options_.group && !group_) {
    then([&] { return loop_->every(kSearchIntervalNs, [this] { look_for_group(); }); });
  } else {
    then([&] { return count_duration(); });
  }
  if (!status) return status;

  if (options_.ready_fd) {
    constexpr std::string_view kReady = "ready\n";
    if (::write(*options_.ready_fd, kReady.data(), kReady.size()) < 0) {
      return fail(errno_text(fmt::format("cannot write to --ready-fd {}", *options_.ready_fd), errno));
    }
  }
  return command_ ? command_->let_go() : Status{};
}

void Tracer::drain() {
  const Result<bool> more = collector_->drain(/*all=*/false);
  if (!more) return check(tl::unexpected(more.error()));
  if (*more) {
    const std::uint64_t one = 1;
    // A full counter is readable as well: nothing is missed.
    if (::write(again_.get(), &one, sizeof(one)) < 0) return;
  } else {
    check(collector_->look_if_reclaimed());
  }
  stop_if_over();
}

void Tracer::tick() {
  check(collector_->tick());
  end_with_group();
  stop_if_over();
}

void Tracer::check(const Status& status) {
  if (status) return;
  if (!failure_) failure_ = status.error();
  loop_->stop();
}

void Tracer::stop_if_over() {
  if (command_) command_->poll_end();
  const bool nobody_left = !options_.group && collector_->targets().had_any() && collector_->targets().empty();
  if (nobody_left || outputs_->reader_gone() || !collector_->written()) loop_->stop();
}

void Tracer::report_command() {
  if (!command_) return;
  const std::optional<std::int32_t> status = command_->poll_end();
  if (!status) {
    if (!options_.quiet) spdlog::info("{} (pid {}) goes on without being traced", options_.command[0], command_->pid());
    return;
  }
  collector_->emit(CommandEnd{.pid = command_->pid(), .wait_status = *status});
  if (options_.quiet) return;
  if (WIFSIGNALED(*status)) {
    spdlog::info("{} was killed by signal {}", options_.command[0], WTERMSIG(*status));
  } else {
    spdlog::info("{} exited with status {}", options_.command[0], WEXITSTATUS(*status));
  }
}

Result<ExitCode> Tracer::end() {
  check(collector_->last_look());
  session_->stop_recording();
  const std::uint64_t ended_mono_ns = mono_now_ns();
  collector_->targets().let_go();
  session_->detach_all();
  if (const Result<bool> drained = collector_->drain(/*all=*/true); !drained && !failure_) failure_ = drained.error();
  report_command();
  collector_->finish(describe_end(ended_mono_ns));
  if (failure_) return tl::unexpected(*failure_);
  MADV_TRY(collector_->written());
  if (options_.quiet && !collector_->totals().lost.empty()) {
    spdlog::warn("events were lost: the output is incomplete (a larger --ring-size keeps more of them)");
  }
  return exit_code_of(collector_->totals());
}

}  // namespace

Result<ExitCode> trace(const Options& options) { return Tracer(options).run(); }

}  // namespace madvtrace
