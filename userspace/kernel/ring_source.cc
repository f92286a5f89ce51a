// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring_source.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstddef>

namespace madvtrace {

void RingSource::Deleter::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Result<std::unique_ptr<RingSource>> RingSource::over(int map_fd) {
  std::unique_ptr<RingSource> source(new RingSource);
  source->ring_.reset(ring_buffer__new(map_fd, &RingSource::on_record, source.get(), nullptr));
  if (!source->ring_) return fail(errno_text("cannot map the ring buffer", errno));
  return source;
}

RingSource::~RingSource() = default;

int RingSource::epoll_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

int RingSource::on_record(void* self, void* data, std::size_t size) {
  auto& source = *static_cast<RingSource*>(self);
  source.sink_->on_record({static_cast<const std::byte*>(data), size});
  // The record counts as read even when we ask to stop.
  return --source.left_ == 0 ? -ECANCELED : 0;
}

Status RingSource::drain(RecordSink& sink) {
  sink_ = &sink;
  left_ = kRecordsAtOnce;
  const int result = ring_buffer__consume(ring_.get());
  more_ = result == -ECANCELED;
  if (result < 0 && !more_) return fail(errno_text("cannot read the ring buffer", -result));
  return {};
}

Status RingSource::drain_all(RecordSink& sink) {
  do {
    const Status status = drain(sink);
    if (!status) return status;
  } while (more_);
  return {};
}

}  // namespace madvtrace
