// SPDX-License-Identifier: Apache-2.0
#include "tests/support/stream_builder.h"

#include <algorithm>
#include <span>
#include <utility>
#include <variant>

#include "stream/collector_record.h"

namespace madvtrace::test {
namespace {

constexpr std::uint64_t kCgroupId = 4242;

template <std::size_t N>
void copy_comm(const std::string& from, char (&to)[N]) {
  std::copy_n(from.begin(), std::min(from.size(), N), std::begin(to));
}

template <class E, class = void>
struct HasStamp : std::false_type {};
template <class E>
struct HasStamp<E, std::void_t<decltype(std::declval<E&>().stamp)>> : std::true_type {};

}  // namespace

RecordBytes view(const std::string& record) { return std::as_bytes(std::span(record)); }

wire_walk walked(std::uint64_t resident_pages, std::uint64_t clean_pages, std::uint64_t swap_pages,
                 std::uint32_t more_flags) {
  return {.resident_pages = resident_pages,
          .clean_pages = clean_pages,
          .huge_pages = 0,
          .swap_pages = swap_pages,
          .walked_end = 0,
          .flags = WIRE_WALK_DONE | more_flags,
          .walk_ns = 0};
}

CallSpec madvise(std::uint64_t address, std::uint64_t bytes, std::int32_t advice) {
  return {.syscall = WIRE_MADVISE,
          .args = {address, bytes, static_cast<std::uint64_t>(advice)},
          .range_addr = address,
          .range_bytes = bytes};
}

CallSpec munmap(std::uint64_t address, std::uint64_t bytes) {
  return {.syscall = WIRE_MUNMAP, .args = {address, bytes}, .range_addr = address, .range_bytes = bytes};
}

StreamBuilder& StreamBuilder::at(std::uint64_t after_start_ns) {
  mono_ns_ = kStartMonoNs + after_start_ns;
  return *this;
}

StreamBuilder& StreamBuilder::on(std::uint32_t pid, std::uint32_t tid) {
  pid_ = pid;
  tid_ = tid;
  return *this;
}

StreamBuilder& StreamBuilder::named(std::string_view comm) {
  comm_ = comm;
  return *this;
}

StreamBuilder& StreamBuilder::lost(std::uint64_t records) {
  lost_ = records;
  return *this;
}

wire_header StreamBuilder::header(wire_kind kind, std::size_t bytes) const {
  return {.size = static_cast<std::uint32_t>(bytes),
          .kind = static_cast<std::uint16_t>(kind),
          .reserved = 0,
          .mono_ns = mono_ns_,
          .pid = pid_,
          .tid = tid_,
          .lost = lost_};
}

void StreamBuilder::fill_call(wire_call& record, const CallSpec& call, std::uint64_t begin_ns) const {
  record.begin_ns = begin_ns;
  record.stack_key = call.stack_key;
  record.cgroup_id = kCgroupId;
  std::copy_n(call.args.begin(), std::min<std::size_t>(call.args.size(), WIRE_SYSCALL_ARGS), std::begin(record.args));
  record.range_addr = call.range_addr;
  record.range_bytes = call.range_bytes;
  record.syscall = static_cast<std::uint16_t>(call.syscall);
  record.flags = call.flags;
  copy_comm(comm_, record.comm);
}

StreamBuilder& StreamBuilder::begin(const CallSpec& call, const wire_walk& walk) {
  wire_call record{};
  record.header = header(WIRE_RELEASE_BEGIN, sizeof(record));
  fill_call(record, call, mono_ns_);
  record.walk = walk;
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::range(std::uint64_t begin_at_ns, std::uint64_t address, std::uint64_t bytes,
                                    const wire_walk& walk) {
  return raw(bytes_of(wire_range{.header = header(WIRE_RELEASE_RANGE, sizeof(wire_range)),
                                 .begin_ns = kStartMonoNs + begin_at_ns,
                                 .range_addr = address,
                                 .range_bytes = bytes,
                                 .walk = walk}));
}

StreamBuilder& StreamBuilder::end(std::uint64_t begin_at_ns, std::int64_t ret, const wire_walk& after) {
  return raw(bytes_of(wire_end{.header = header(WIRE_RELEASE_END, sizeof(wire_end)),
                               .begin_ns = kStartMonoNs + begin_at_ns,
                               .ret = ret,
                               .after = after}));
}

StreamBuilder& StreamBuilder::write_pages(std::uint64_t begin_ns, const ChunkSpec& chunk, std::uint32_t flags) {
  wire_pages record{};
  record.header = header(WIRE_PAGES, sizeof(record));
  if ((flags & WIRE_PAGES_ON_DEMAND) != 0) record.header.tid = 0;
  record.begin_ns = begin_ns;
  record.chunk_addr = chunk.chunk_addr;
  record.first_page = static_cast<std::uint16_t>(chunk.seen.first);
  record.pages = static_cast<std::uint16_t>(chunk.seen.count);
  record.flags = flags;
  if (chunk.huge) record.flags |= WIRE_PAGES_HUGE;
  const auto set = [](auto& words, const std::vector<PageSpan>& spans) {
    for (const PageSpan& span : spans) {
      for (std::uint32_t page = span.first; page < span.first + span.count; ++page) {
        words[page / 64] |= std::uint64_t{1} << (page % 64);
      }
    }
  };
  set(record.resident, chunk.dirty);
  set(record.resident, chunk.clean);
  set(record.clean, chunk.clean);
  set(record.clean, chunk.swapped);
  return raw(std::string(reinterpret_cast<const char*>(&record), sizeof(record)));
}

StreamBuilder& StreamBuilder::pages(std::uint64_t begin_at_ns, const ChunkSpec& chunk) {
  return write_pages(kStartMonoNs + begin_at_ns, chunk, 0);
}

StreamBuilder& StreamBuilder::look(const ChunkSpec& chunk) {
  constexpr std::uint64_t kTakesNs = 1000;
  return write_pages(mono_ns_ - kTakesNs, chunk, WIRE_PAGES_ON_DEMAND);
}

StreamBuilder& StreamBuilder::refault(std::uint64_t address, bool swapped) {
  wire_refault record{};
  record.header = header(WIRE_REFAULT, sizeof(record));
  record.addr = address;
  if (swapped) record.flags = WIRE_REFAULT_SWAPPED;
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::reclaimed(std::uint64_t address, std::uint32_t pages, wire_reclaimer by) {
  wire_reclaimed record{};
  record.header = header(WIRE_RECLAIMED, sizeof(record));
  record.header.tid = 0;
  record.addr = address;
  record.pages = pages;
  record.by = by;
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::write_rss(wire_kind kind, std::uint32_t cause, const RssPages& gained,
                                        const RssPages& lost) {
  wire_rss record{};
  record.header = header(kind, sizeof(record));
  record.header.tid = 0;
  record.cause = cause;
  const auto fill = [](auto& members, const RssPages& pages) {
    members[0] = pages.file;
    members[1] = pages.anon;
    members[2] = pages.swap;
    members[3] = pages.shmem;
  };
  fill(record.gained_pages, gained);
  fill(record.lost_pages, lost);
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::rss_begin(const RssPages& pages) { return write_rss(WIRE_RSS_BEGIN, 0, pages, {}); }

StreamBuilder& StreamBuilder::rss_changes(std::uint32_t cause, const RssPages& gained, const RssPages& lost) {
  return write_rss(WIRE_RSS_CHANGES, cause, gained, lost);
}

StreamBuilder& StreamBuilder::plain(const CallSpec& call, std::uint64_t begin_at_ns, std::int64_t ret,
                                    const wire_walk& walk) {
  wire_call record{};
  record.header = header(WIRE_CALL, sizeof(record));
  fill_call(record, call, kStartMonoNs + begin_at_ns);
  record.ret = ret;
  record.walk = walk;
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::stack(std::uint64_t key, const std::vector<std::uint64_t>& addresses) {
  wire_stack record{};
  const std::size_t depth = std::min<std::size_t>(addresses.size(), WIRE_STACK_DEPTH);
  const std::size_t bytes = sizeof(record) - sizeof(record.addresses) + depth * sizeof(record.addresses[0]);
  record.header = header(WIRE_STACK, bytes);
  record.stack_key = key;
  record.depth = static_cast<std::uint32_t>(depth);
  std::copy_n(addresses.begin(), depth, std::begin(record.addresses));
  return raw(bytes_of(record).substr(0, bytes));
}

StreamBuilder& StreamBuilder::fork(std::uint32_t child_pid, bool followed) {
  wire_fork record{};
  record.header = header(WIRE_FORK, sizeof(record));
  record.child_pid = child_pid;
  record.followed = followed ? 1 : 0;
  copy_comm(comm_, record.comm);
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::write_gc(wire_kind kind, std::int32_t trigger) {
  wire_gc record{};
  record.header = header(kind, sizeof(record));
  record.cgroup_id = kCgroupId;
  record.trigger = trigger;
  copy_comm(comm_, record.comm);
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::gc_start(std::int32_t trigger) { return write_gc(WIRE_GC_START, trigger); }
StreamBuilder& StreamBuilder::gc_end() { return write_gc(WIRE_GC_END, WIRE_GC_UNKNOWN); }

StreamBuilder& StreamBuilder::write_member(wire_kind kind, wire_member_why why) {
  wire_member record{};
  record.header = header(kind, sizeof(record));
  record.header.tid = 0;
  record.cgroup_id = kCgroupId;
  record.why = why;
  copy_comm(comm_, record.comm);
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::exec() {
  wire_exec record{};
  record.header = header(WIRE_EXEC, sizeof(record));
  record.cgroup_id = kCgroupId;
  copy_comm(comm_, record.comm);
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::exit(std::int32_t wait_status) {
  wire_exit record{};
  record.header = header(WIRE_EXIT, sizeof(record));
  record.cgroup_id = kCgroupId;
  record.wait_status = wait_status;
  copy_comm(comm_, record.comm);
  return raw(bytes_of(record));
}

StreamBuilder& StreamBuilder::add(Event event) {
  std::visit(
      [this](auto& e) {
        if constexpr (HasStamp<std::decay_t<decltype(e)>>::value) {
          e.stamp = {.mono_ns = mono_ns_, .pid = pid_, .tid = tid_, .lost = lost_};
        }
      },
      event);
  return raw(encode_record(event, mono_ns_));
}

StreamBuilder& StreamBuilder::start(const std::string& tier) {
  at(0);
  const auto fault_ns = tier.starts_with("refaults") ? std::optional<std::uint64_t>(2000) : std::nullopt;
  add(RunInfo{.version = "0.1.0 (test)",
              .kernel = "6.18.0 x86_64",
              .tier = tier,
              .argv = {"madvtrace", "-p", "100"},
              .labels = {{"service", "shop"}},
              .capabilities = {{"page_walk", "yes"}, {"syscall_tracepoints", "yes"}},
              .started_mono_ns = kStartMonoNs,
              .started_utc_ns = kStartUtcNs,
              .fault_ns = fault_ns});
  return add(ProcessInfo{.start_utc_ns = kStartUtcNs - 60'000'000'000,
                         .comm = "server",
                         .exe = "/usr/bin/server",
                         .build_id = "0123456789abcdef",
                         .cgroup = "/system.slice/server.service"});
}

StreamBuilder& StreamBuilder::finish() {
  return add(RunEnd{.ended_mono_ns = mono_ns_, .self_cpu_ns = 12'000'000, .self_max_rss_bytes = 8'388'608});
}

StreamBuilder& StreamBuilder::raw(std::string record) {
  records_.push_back(std::move(record));
  return *this;
}

std::string StreamBuilder::joined() const {
  std::string all;
  for (const std::string& record : records_) all += record;
  return all;
}

}  // namespace madvtrace::test
