// SPDX-License-Identifier: Apache-2.0
#include "kernel/fault_events.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "kernel/destroy_together.h"
#include "kernel/libbpf_log.h"
#include "kernel/many_files.h"

namespace madvtrace {
namespace {

// A thread that starts others all the time may never be caught up with.
constexpr int kMostLists = 64;

// Null, without an error, if the thread is gone.
Result<Link> open_event(const bpf_program* program, std::uint32_t tid) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
  attributes.sample_period = 1;  // each of them
  attributes.sample_type = PERF_SAMPLE_ADDR;
  attributes.inherit = 1;
  attributes.disabled = 1;  // until the program is attached
  UniqueFd event(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, static_cast<pid_t>(tid), /*cpu=*/-1,
                                            /*group=*/-1, PERF_FLAG_FD_CLOEXEC)));
  if (!event && errno == ESRCH) return Link();
  if (!event) return fail(ExitCode::kUnsupported, errno_text("cannot open a page-faults event", errno));
  take_first_libbpf_warning();
  Link link(bpf_program__attach_perf_event(program, event.get()));
  if (!link) return fail(ExitCode::kUnsupported, errno_text("cannot attach to a page-faults event", errno));
  event.release();  // the link closes it
  return link;
}

}  // namespace

FaultWatch FaultWatch::of_child(std::uint64_t forked_ns) const {
  return events_ && since_ns_ < forked_ns ? FaultWatch(events_, forked_ns) : FaultWatch();
}

Status FaultEvents::open_new_threads(std::uint32_t pid, std::set<std::uint32_t>& seen,
                                     FaultWatch::Events& events) const {
  std::error_code error;
  const std::filesystem::path tasks = fmt::format("/proc/{}/task", pid);
  for (std::filesystem::directory_iterator at(tasks, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    std::uint32_t tid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), tid).ec != std::errc{} || !seen.insert(tid).second) {
      continue;
    }
    MADV_TAKE(Link link, open_event(program_, tid));
    if (link) events.push_back(std::move(link));
  }
  return {};
}

Result<FaultWatch> FaultEvents::watch(std::uint32_t pid) {
  if (!std::exchange(allowed_many_files_, true)) allow_many_files();
  auto events = std::make_shared<FaultWatch::Events>();
  std::set<std::uint32_t> seen;
  // A thread that was not listed may have been started by one that was not watched yet;
  // once there is no such thread any more, all that follow inherit.
  for (int i = 0; i < kMostLists; ++i) {
    const std::size_t before = seen.size();
    if (const Status status = open_new_threads(pid, seen, *events); !status) {
      ++failures_;
      return tl::unexpected(status.error());
    }
    if (seen.size() == before) break;
  }
  return FaultWatch(std::move(events), mono_now_ns());
}

void FaultEvents::end(const std::vector<FaultWatch>& watches) {
  std::vector<Link> links;
  for (const FaultWatch& watch : watches) {
    if (!watch) continue;
    for (Link& link : *watch.events_) links.push_back(std::move(link));
    watch.events_->clear();
  }
  destroy_together(std::move(links));
}

}  // namespace madvtrace
