// SPDX-License-Identifier: Apache-2.0
// From a record's bytes to an Event. Checks everything that could hurt: bounds,
// kind, declared size against the real one, array lengths inside. What the fields
// mean is the model's business.
//
// A bad record is an answer, not an end: the caller counts it and goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/event.h"
#include "stream/record_sink.h"

namespace madvtrace {

enum class DecodeError : std::uint8_t {
  kTruncated,    // shorter than a header, or than its kind needs
  kSize,         // says another size than it has
  kUnknownKind,  // of no kind that this version knows
  kField,        // a field inside is out of its range
};

// The name of its counter: "bad_record_truncated", …
std::string_view loss_cause(DecodeError error);

struct Decoded {
  std::optional<Event> event;                   // set, or
  DecodeError error = DecodeError::kTruncated;  // why not
};

Decoded decode_record(RecordBytes record);

}  // namespace madvtrace
