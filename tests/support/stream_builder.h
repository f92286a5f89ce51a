// SPDX-License-Identifier: Apache-2.0
// Makes streams by hand, for tests: records with the bytes that the kernel side and
// the collector write. All clocks are fixed, so that what comes of them is, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "bpf/records.h"
#include "model/event.h"
#include "stream/record_sink.h"

namespace madvtrace::test {

inline constexpr std::uint64_t kStartMonoNs = 1'000'000'000'000;
inline constexpr std::uint64_t kStartUtcNs = 1'700'000'000'000'000'000;
inline constexpr std::uint64_t kMsNs = 1'000'000;

template <class T>
std::string bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}
RecordBytes view(const std::string& record);

// A look at page tables that was finished.
wire_walk walked(std::uint64_t resident_pages, std::uint64_t clean_pages = 0, std::uint64_t swap_pages = 0,
                 std::uint32_t more_flags = 0);

// Which call, on which thread; `at_ns` counts from the start of the trace.
struct CallSpec {
  wire_syscall syscall = WIRE_MADVISE;
  std::vector<std::uint64_t> args;
  std::uint64_t range_addr = 0;
  std::uint64_t range_bytes = 0;
  std::uint64_t stack_key = 0;
  std::uint16_t flags = 0;
};
CallSpec madvise(std::uint64_t address, std::uint64_t bytes, std::int32_t advice);
CallSpec munmap(std::uint64_t address, std::uint64_t bytes);

// Pages of a chunk, by their numbers in it.
struct PageSpan {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};
// What a look at a chunk found: the rest of `seen` holds nothing.
struct ChunkSpec {
  std::uint64_t chunk_addr = 0;
  PageSpan seen{0, WIRE_CHUNK_PAGES};
  std::vector<PageSpan> dirty;
  std::vector<PageSpan> clean;
  std::vector<PageSpan> swapped;
  bool huge = false;
};

class StreamBuilder {
 public:
  // What the next records carry, until it is changed.
  StreamBuilder& at(std::uint64_t after_start_ns);
  StreamBuilder& on(std::uint32_t pid, std::uint32_t tid);
  StreamBuilder& named(std::string_view comm);  // cut to 16 bytes
  StreamBuilder& lost(std::uint64_t records);

  // The kernel side's. A release is named by when it began.
  StreamBuilder& begin(const CallSpec& call, const wire_walk& walk);
  StreamBuilder& range(std::uint64_t begin_at_ns, std::uint64_t address, std::uint64_t bytes, const wire_walk& walk);
  StreamBuilder& end(std::uint64_t begin_at_ns, std::int64_t ret, const wire_walk& after = {});
  StreamBuilder& pages(std::uint64_t begin_at_ns, const ChunkSpec& chunk);
  StreamBuilder& look(const ChunkSpec& chunk);  // on demand, begun 1 us ago
  StreamBuilder& refault(std::uint64_t address, bool swapped = false);
  StreamBuilder& reclaimed(std::uint64_t address, std::uint32_t pages, wire_reclaimer by);
  StreamBuilder& rss_begin(const RssPages& pages);
  // `cause`: enum wire_rss_cause; of reclaim, WIRE_RSS_RECLAIM + enum wire_reclaimer.
  StreamBuilder& rss_changes(std::uint32_t cause, const RssPages& gained, const RssPages& lost);
  StreamBuilder& plain(const CallSpec& call, std::uint64_t begin_at_ns, std::int64_t ret, const wire_walk& walk = {});
  StreamBuilder& stack(std::uint64_t key, const std::vector<std::uint64_t>& addresses);
  StreamBuilder& fork(std::uint32_t child_pid, bool followed);
  StreamBuilder& gc_start(std::int32_t trigger = WIRE_GC_HEAP);
  StreamBuilder& gc_end();
  StreamBuilder& join(wire_member_why why) { return write_member(WIRE_JOIN, why); }
  StreamBuilder& leave(wire_member_why why) { return write_member(WIRE_LEAVE, why); }
  StreamBuilder& exec();
  StreamBuilder& exit(std::int32_t wait_status);

  // The collector's. For events with a stamp it is filled in.
  StreamBuilder& add(Event event);
  // A run with nothing special about it (of tier "refaults": with --refaults, …); and its end.
  StreamBuilder& start(const std::string& tier = "base");
  StreamBuilder& finish();

  StreamBuilder& raw(std::string record);

  const std::vector<std::string>& records() const { return records_; }
  std::string joined() const;

 private:
  StreamBuilder& write_rss(wire_kind kind, std::uint32_t cause, const RssPages& gained, const RssPages& lost);
  StreamBuilder& write_member(wire_kind kind, wire_member_why why);
  StreamBuilder& write_gc(wire_kind kind, std::int32_t trigger);
  StreamBuilder& write_pages(std::uint64_t begin_ns, const ChunkSpec& chunk, std::uint32_t flags);
  wire_header header(wire_kind kind, std::size_t bytes) const;
  void fill_call(wire_call& record, const CallSpec& call, std::uint64_t begin_ns) const;

  std::uint64_t mono_ns_ = kStartMonoNs;
  std::uint32_t pid_ = 100;
  std::uint32_t tid_ = 100;
  std::uint64_t lost_ = 0;
  std::string comm_ = "server";
  std::vector<std::string> records_;
};

}  // namespace madvtrace::test
