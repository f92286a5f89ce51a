// SPDX-License-Identifier: Apache-2.0
// From a record's bytes to an Event. Checks everything that could hurt: bounds,
// kind, declared size against the real one, array lengths inside. What the fields
// mean is the model's business.
//
// A bad record is an answer, not an end: it is counted, and the stream goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/losses.h"
#include "model/event.h"
#include "model/event_sink.h"
#include "stream/record_sink.h"

namespace madvtrace {

enum class DecodeError : std::uint8_t {
  kTruncated,    // shorter than a header, or than its kind needs
  kSize,         // says another size than it has
  kUnknownKind,  // of no kind that this version knows
  kField,        // a field inside is out of its range
};

// Says as what the record is counted.
LossCause loss_cause(DecodeError error);

struct Decoded {
  std::optional<Event> event;                   // set, or
  DecodeError error = DecodeError::kTruncated;  // why not
};

Decoded decode_record(RecordBytes record);

// Decodes each record of a stream once, for all who listen, in their order. A bad record is
// a Loss to them: it stands in a recording too, so that a replay counts the same.
class Decoder : public RecordSink {
 public:
  explicit Decoder(std::vector<EventSink*> listeners) : listeners_(std::move(listeners)) {}
  void on_record(RecordBytes record) override;

 private:
  void tell(const Event& event);

  std::vector<EventSink*> listeners_;
};

}  // namespace madvtrace
