// SPDX-License-Identifier: Apache-2.0
// The live end of the stream: the kernel side's ring buffer.
#pragma once

#include <memory>

#include "stream/record_sink.h"

struct ring_buffer;

namespace madvtrace {

class RingSource {
 public:
  static Result<std::unique_ptr<RingSource>> over(int map_fd);
  ~RingSource();
  RingSource(const RingSource&) = delete;
  RingSource& operator=(const RingSource&) = delete;

  // At most kRecordsAtOnce, so that a target that writes as fast as we read cannot
  // keep the event loop from looking at anything else.
  Status drain(RecordSink& sink);
  // Everything that is there; for when the hooks are detached.
  Status drain_all(RecordSink& sink);
  bool more() const { return more_; }  // the last drain() stopped at its limit

  int epoll_fd() const;

 private:
  static constexpr std::size_t kRecordsAtOnce = 65536;

  struct Deleter {
    void operator()(ring_buffer* ring) const;
  };

  RingSource() = default;
  static int on_record(void* self, void* data, std::size_t size);

  std::unique_ptr<ring_buffer, Deleter> ring_;
  RecordSink* sink_ = nullptr;  // during a drain
  std::size_t left_ = 0;        // of kRecordsAtOnce
  bool more_ = false;
};

}  // namespace madvtrace
