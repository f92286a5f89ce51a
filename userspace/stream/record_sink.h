// SPDX-License-Identifier: Apache-2.0
// The stream: records as bytes, each beginning with a struct wire_header, in the
// order that everything downstream relies on. They come from a kernel ring buffer
// or from a recording; whoever consumes them cannot tell which.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace madvtrace {

using RecordBytes = std::span<const std::byte>;

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // The bytes are only valid during the call. They are exactly one record if they
  // are in order; whoever reads them checks that.
  virtual void on_record(RecordBytes record) = 0;

 protected:
  RecordSink() = default;
  RecordSink(RecordSink&&) = default;
  RecordSink& operator=(RecordSink&&) = default;
};

}  // namespace madvtrace
