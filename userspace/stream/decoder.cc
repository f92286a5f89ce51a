// SPDX-License-Identifier: Apache-2.0
#include "stream/decoder.h"

#include <algorithm>
#include <cstring>

#include "bpf/records.h"
#include "stream/collector_record.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMostPages = std::uint64_t{1} << 45;  // of a 57-bit address space

Decoded bad(DecodeError error) { return {.event = std::nullopt, .error = error}; }

template <class T>
std::optional<T> read_whole(RecordBytes record) {
  if (record.size() != sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, record.data(), sizeof(T));
  return value;
}

Stamp stamp_of(const wire_header& header) {
  return {.mono_ns = header.mono_ns, .pid = header.pid, .tid = header.tid, .lost = header.lost};
}

Comm comm_of(const char (&text)[WIRE_COMM_BYTES]) {
  Comm comm;
  std::copy(std::begin(text), std::end(text), comm.begin());
  return comm;
}

bool plausible(const wire_walk& walk) {
  return walk.resident_pages <= kMostPages && walk.clean_pages <= kMostPages && walk.huge_pages <= kMostPages &&
         walk.swap_pages <= kMostPages;
}

Walk walk_of(const wire_walk& walk) {
  return {.resident_pages = walk.resident_pages,
          .clean_pages = walk.clean_pages,
          .huge_pages = walk.huge_pages,
          .swap_pages = walk.swap_pages,
          .done = (walk.flags & WIRE_WALK_DONE) != 0,
          .capped = (walk.flags & WIRE_WALK_CAPPED) != 0,
          .sampled = (walk.flags & WIRE_WALK_SAMPLED) != 0,
          .file = (walk.flags & WIRE_WALK_FILE) != 0,
          .clean_unknown = (walk.flags & WIRE_WALK_CLEAN_UNKNOWN) != 0};
}

// Of one between WIRE_MMAP and WIRE_BRK.
constexpr CallKind kind_of(std::uint16_t syscall) { return static_cast<CallKind>(syscall - WIRE_MMAP); }
static_assert(kind_of(WIRE_MMAP) == CallKind::kMmap && kind_of(WIRE_MUNMAP) == CallKind::kMunmap &&
              kind_of(WIRE_MADVISE) == CallKind::kMadvise &&
              kind_of(WIRE_PROCESS_MADVISE) == CallKind::kProcessMadvise && kind_of(WIRE_MREMAP) == CallKind::kMremap &&
              kind_of(WIRE_BRK) == CallKind::kBrk);

CallFields fields_of(const wire_call& call) {
  CallFields fields{.kind = kind_of(call.syscall),
                    .begin_ns = call.begin_ns,
                    .stack_key = call.stack_key,
                    .cgroup_id = call.cgroup_id,
                    .comm = comm_of(call.comm),
                    .remote = (call.flags & WIRE_CALL_REMOTE) != 0};
  std::copy(std::begin(call.args), std::end(call.args), fields.args.begin());
  return fields;
}

Decoded decode_call(RecordBytes record, bool is_begin) {
  const auto call = read_whole<wire_call>(record);
  if (!call) return bad(DecodeError::kTruncated);
  if (call->syscall < WIRE_MMAP || call->syscall > WIRE_BRK || !plausible(call->walk)) return bad(DecodeError::kField);
  const AddressRange range = AddressRange::of_call(call->range_addr, call->range_bytes);
  if (is_begin) {
    return {
        .event = ReleaseBegin{
            .stamp = stamp_of(call->header), .call = fields_of(*call), .range = range, .walk = walk_of(call->walk)}};
  }
  return {.event = PlainCall{.stamp = stamp_of(call->header),
                             .call = fields_of(*call),
                             .ret = call->ret,
                             .range = range,
                             .walk = walk_of(call->walk)}};
}

Decoded decode_range(RecordBytes record) {
  const auto range = read_whole<wire_range>(record);
  if (!range) return bad(DecodeError::kTruncated);
  if (!plausible(range->walk)) return bad(DecodeError::kField);
  return {.event = ReleaseRange{.stamp = stamp_of(range->header),
                                .begin_ns = range->begin_ns,
                                .range = AddressRange::of_call(range->range_addr, range->range_bytes),
                                .walk = walk_of(range->walk)}};
}

Decoded decode_end(RecordBytes record) {
  const auto end = read_whole<wire_end>(record);
  if (!end) return bad(DecodeError::kTruncated);
  if (!plausible(end->after)) return bad(DecodeError::kField);
  return {
      .event = ReleaseEnd{
          .stamp = stamp_of(end->header), .begin_ns = end->begin_ns, .ret = end->ret, .after = walk_of(end->after)}};
}

Decoded decode_pages(RecordBytes record) {
  const auto pages = read_whole<wire_pages>(record);
  if (!pages) return bad(DecodeError::kTruncated);
  const bool aligned = pages->chunk_addr % kChunkBytes == 0;
  if (!aligned || pages->pages == 0 || pages->first_page + pages->pages > WIRE_CHUNK_PAGES) {
    return bad(DecodeError::kField);
  }
  Pages event{.stamp = stamp_of(pages->header),
              .begin_ns = pages->begin_ns,
              .chunk_addr = pages->chunk_addr,
              .first_page = pages->first_page,
              .pages = pages->pages,
              .on_demand = (pages->flags & WIRE_PAGES_ON_DEMAND) != 0,
              .huge = (pages->flags & WIRE_PAGES_HUGE) != 0};
  std::copy(std::begin(pages->resident), std::end(pages->resident), event.resident_bits.begin());
  std::copy(std::begin(pages->clean), std::end(pages->clean), event.clean_bits.begin());
  return {.event = event};
}

Decoded decode_refault(RecordBytes record) {
  const auto refault = read_whole<wire_refault>(record);
  if (!refault) return bad(DecodeError::kTruncated);
  if (refault->addr % kPageBytes != 0 || refault->addr > UINT64_MAX - kPageBytes) return bad(DecodeError::kField);
  return {.event = Refault{.stamp = stamp_of(refault->header),
                           .addr = refault->addr,
                           .swapped = (refault->flags & WIRE_REFAULT_SWAPPED) != 0}};
}

Decoded decode_reclaimed(RecordBytes record) {
  const auto reclaimed = read_whole<wire_reclaimed>(record);
  if (!reclaimed) return bad(DecodeError::kTruncated);
  const bool is_range = reclaimed->addr % kPageBytes == 0 && reclaimed->pages != 0 &&
                        reclaimed->addr <= UINT64_MAX - std::uint64_t{reclaimed->pages} * kPageBytes;
  if (!is_range || reclaimed->by >= WIRE_RECLAIMERS) return bad(DecodeError::kField);
  return {.event = Reclaimed{.stamp = stamp_of(reclaimed->header),
                             .addr = reclaimed->addr,
                             .pages = reclaimed->pages,
                             .by = static_cast<Reclaimer>(reclaimed->by)}};
}

RssPages rss_pages_of(const __u64 (&members)[WIRE_RSS_MEMBERS]) {
  return {.file = members[0], .anon = members[1], .swap = members[2], .shmem = members[3]};
}

bool plausible(const __u64 (&members)[WIRE_RSS_MEMBERS]) {
  // Of what has come and gone since the trace began: more than fits an address space.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 51;
  return std::all_of(std::begin(members), std::end(members), [](std::uint64_t pages) { return pages <= kMost; });
}

Decoded decode_rss(RecordBytes record, bool is_begin) {
  const auto rss = read_whole<wire_rss>(record);
  if (!rss) return bad(DecodeError::kTruncated);
  if (!plausible(rss->gained_pages) || !plausible(rss->lost_pages) || rss->cause >= WIRE_RSS_CAUSES) {
    return bad(DecodeError::kField);
  }
  const Stamp stamp = stamp_of(rss->header);
  if (is_begin) return {.event = RssBegin{.stamp = stamp, .pages = rss_pages_of(rss->gained_pages)}};
  RssChanges changes{.stamp = stamp, .gained = rss_pages_of(rss->gained_pages), .lost = rss_pages_of(rss->lost_pages)};
  if (rss->cause >= WIRE_RSS_RECLAIM) {
    changes.cause = RssCause::kReclaim;
    changes.by = static_cast<Reclaimer>(rss->cause - WIRE_RSS_RECLAIM);
  } else {
    changes.cause = static_cast<RssCause>(rss->cause);
  }
  return {.event = changes};
}

Decoded decode_stack(RecordBytes record) {
  constexpr std::size_t kFixed = sizeof(wire_stack) - sizeof(wire_stack::addresses);
  if (record.size() < kFixed || record.size() > sizeof(wire_stack)) return bad(DecodeError::kTruncated);
  wire_stack stack{};
  std::memcpy(&stack, record.data(), record.size());
  if (stack.depth == 0 || stack.depth > WIRE_STACK_DEPTH) return bad(DecodeError::kField);
  if (record.size() != kFixed + stack.depth * sizeof(stack.addresses[0])) return bad(DecodeError::kTruncated);
  return {.event = Stack{.stamp = stamp_of(stack.header),
                         .stack_key = stack.stack_key,
                         .addresses = {stack.addresses, stack.addresses + stack.depth}}};
}

Decoded decode_fork(RecordBytes record) {
  const auto fork = read_whole<wire_fork>(record);
  if (!fork) return bad(DecodeError::kTruncated);
  return {.event =
              Fork{.stamp = stamp_of(fork->header), .child_pid = fork->child_pid, .followed = fork->followed != 0}};
}

ProgramFile program_of(const wire_program& program) { return {.inode = program.inode, .device = program.device}; }

Decoded decode_gc(RecordBytes record, bool is_start) {
  const auto gc = read_whole<wire_gc>(record);
  if (!gc) return bad(DecodeError::kTruncated);
  GcMark event{
      .stamp = stamp_of(gc->header), .is_start = is_start, .cgroup_id = gc->cgroup_id, .comm = comm_of(gc->comm)};
  // It was in a register of the traced program.
  const bool known = gc->trigger >= WIRE_GC_HEAP && gc->trigger <= WIRE_GC_FORCED;
  if (is_start && known) event.trigger = static_cast<GcTrigger>(gc->trigger);
  return {.event = event};
}

Decoded decode_exec(RecordBytes record) {
  const auto exec = read_whole<wire_exec>(record);
  if (!exec) return bad(DecodeError::kTruncated);
  return {.event = Exec{.stamp = stamp_of(exec->header),
                        .cgroup_id = exec->cgroup_id,
                        .program = program_of(exec->program),
                        .comm = comm_of(exec->comm)}};
}

Decoded decode_member(RecordBytes record, bool joins) {
  const auto member = read_whole<wire_member>(record);
  if (!member) return bad(DecodeError::kTruncated);
  if (member->why >= WIRE_MEMBER_WHYS) return bad(DecodeError::kField);
  const auto why = static_cast<MemberWhy>(member->why);
  if (joins) {
    return {.event = Join{.stamp = stamp_of(member->header),
                          .cgroup_id = member->cgroup_id,
                          .program = program_of(member->program),
                          .why = why,
                          .comm = comm_of(member->comm)}};
  }
  return {.event = Leave{.stamp = stamp_of(member->header),
                         .cgroup_id = member->cgroup_id,
                         .why = why,
                         .comm = comm_of(member->comm)}};
}

Decoded decode_exit(RecordBytes record) {
  const auto exit = read_whole<wire_exit>(record);
  if (!exit) return bad(DecodeError::kTruncated);
  return {.event = Exit{.stamp = stamp_of(exit->header),
                        .cgroup_id = exit->cgroup_id,
                        .wait_status = exit->wait_status,
                        .comm = comm_of(exit->comm)}};
}

}  // namespace

LossCause loss_cause(DecodeError error) {
  switch (error) {
    case DecodeError::kTruncated:
      return LossCause::kBadRecordTruncated;
    case DecodeError::kSize:
      return LossCause::kBadRecordSize;
    case DecodeError::kUnknownKind:
      return LossCause::kBadRecordUnknownKind;
    case DecodeError::kField:
      break;
  }
  return LossCause::kBadRecordField;
}

Decoded decode_record(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return bad(DecodeError::kTruncated);
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.size != record.size()) return bad(DecodeError::kSize);
  switch (header.kind) {
    case WIRE_RELEASE_BEGIN:
      return decode_call(record, /*is_begin=*/true);
    case WIRE_RELEASE_RANGE:
      return decode_range(record);
    case WIRE_RELEASE_END:
      return decode_end(record);
    case WIRE_CALL:
      return decode_call(record, /*is_begin=*/false);
    case WIRE_PAGES:
      return decode_pages(record);
    case WIRE_REFAULT:
      return decode_refault(record);
    case WIRE_RECLAIMED:
      return decode_reclaimed(record);
    case WIRE_RSS_BEGIN:
      return decode_rss(record, /*is_begin=*/true);
    case WIRE_RSS_CHANGES:
      return decode_rss(record, /*is_begin=*/false);
    case WIRE_STACK:
      return decode_stack(record);
    case WIRE_FORK:
      return decode_fork(record);
    case WIRE_GC_START:
      return decode_gc(record, /*is_start=*/true);
    case WIRE_GC_END:
      return decode_gc(record, /*is_start=*/false);
    case WIRE_EXEC:
      return decode_exec(record);
    case WIRE_EXIT:
      return decode_exit(record);
    case WIRE_JOIN:
      return decode_member(record, /*joins=*/true);
    case WIRE_LEAVE:
      return decode_member(record, /*joins=*/false);
    default:
      break;
  }
  if (header.kind < static_cast<std::uint16_t>(CollectorKind::kRunInfo) ||
      header.kind > static_cast<std::uint16_t>(CollectorKind::kLast)) {
    return bad(DecodeError::kUnknownKind);
  }
  std::optional<Event> event = decode_collector_record(record);
  if (!event) return bad(DecodeError::kField);
  return {.event = std::move(event)};
}

void Decoder::on_record(RecordBytes record) {
  const Decoded decoded = decode_record(record);
  if (decoded.event) {
    tell(*decoded.event);
  } else {
    tell(Loss{.cause = loss_name(loss_cause(decoded.error)), .count = 1});
  }
}

void Decoder::tell(const Event& event) {
  for (EventSink* const listener : listeners_) listener->on_event(event);
}

}  // namespace madvtrace
