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

Status FaultEvents::open_new_threads(std::uint32_t pid, std::map<std::uint32_t, bool>& seen, Family& family) const {
  std::error_code error;
  const std::filesystem::path tasks = fmt::format("/proc/{}/task", pid);
  for (std::filesystem::directory_iterator at(tasks, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    std::uint32_t tid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), tid).ec != std::errc{} || seen.contains(tid)) continue;
    seen[tid] = true;
    Result<Link> link = open_event(program_, tid);
    if (!link) return tl::unexpected(link.error());
    if (*link) family.links.push_back(std::move(*link));
  }
  return {};
}

Status FaultEvents::watch(std::uint32_t pid) {
  if (watched_.contains(pid)) return {};
  if (watched_.empty()) allow_many_files();
  auto family = std::make_shared<Family>();
  std::map<std::uint32_t, bool> seen;
  // A thread that was not listed may have been started by one that was not watched yet;
  // once there is no such thread any more, all that follow inherit.
  for (int i = 0; i < kMostLists; ++i) {
    const std::size_t before = seen.size();
    if (const Status status = open_new_threads(pid, seen, *family); !status) {
      ++failures_;
      return status;
    }
    if (seen.size() == before) break;
  }
  watched_[pid] = {.family = std::move(family), .since_ns = mono_now_ns()};
  return {};
}

Status FaultEvents::watch_child(std::uint32_t pid, std::uint32_t parent_pid, std::uint64_t forked_ns) {
  const auto parent = watched_.find(parent_pid);
  if (parent == watched_.end() || parent->second.since_ns >= forked_ns) return watch(pid);
  watched_[pid] = {.family = parent->second.family, .since_ns = forked_ns};
  return {};
}

void FaultEvents::close_all() {
  std::vector<Link> links;
  for (auto& [pid, watched] : watched_) {
    for (Link& link : watched.family->links) links.push_back(std::move(link));
    watched.family->links.clear();
  }
  watched_.clear();
  destroy_together(std::move(links));
}

}  // namespace madvtrace
