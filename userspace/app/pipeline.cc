// SPDX-License-Identifier: Apache-2.0
#include "app/pipeline.h"

#include "stream/decoder.h"

namespace madvtrace {

void Pipeline::on_record(RecordBytes record) {
  const Decoded decoded = decode_record(record);
  if (decoded.event) {
    trace_.apply(*decoded.event);
  } else {
    // The bad record stands in the recording too: a replay counts the same.
    trace_.apply(Loss{.cause = std::string(loss_cause(decoded.error)), .count = 1});
  }
}

}  // namespace madvtrace
