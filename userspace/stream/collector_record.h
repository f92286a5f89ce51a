// SPDX-License-Identifier: Apache-2.0
// The collector's own records: what it learns outside of the ring buffer and puts
// into the stream, so that a recording holds everything that the model knows.
//
// Each is a struct wire_header followed by one JSON object, padded with spaces to a
// multiple of 8. They are few (a handful a second); JSON lets a later version add
// members that an earlier one ignores. Text that is not UTF-8 is replaced (U+FFFD).
#pragma once

#include <cstdint>
#include <string>

#include "model/event.h"
#include "stream/record_sink.h"

namespace madvtrace {

// Continues enum wire_kind (bpf/records.h).
enum class CollectorKind : std::uint16_t {
  kRunInfo = 64,
  kClockAnchor = 65,
  kProcessInfo = 66,
  kSample = 67,
  kFrames = 68,
  kLoss = 69,
  kCommandEnd = 70,
  kRunEnd = 71,
  kReclaim = 72,
  kGroupInfo = 73,
  kGroupSample = 74,
  kLeftOut = 75,
  kLast = kLeftOut,
};

// The longest record of any kind, its header included.
inline constexpr std::size_t kLargestRecordBytes = std::size_t{1} << 20;

// An event as the bytes of a record; `mono_ns` is when the collector knew it.
// Events that only the kernel makes are not accepted: they give an empty string.
std::string encode_record(const Event& event, std::uint64_t mono_ns);

// The inverse, for the decoder. Nothing if the bytes are not such a record.
std::optional<Event> decode_collector_record(RecordBytes record);

}  // namespace madvtrace
