// SPDX-License-Identifier: Apache-2.0
// Whoever listens to the events of a stream: the model, and in a live trace what has to
// know of the processes while they live.
#pragma once

#include "model/event.h"

namespace madvtrace {

class EventSink {
 public:
  virtual ~EventSink() = default;
  // Events come in the order of the stream, each once.
  virtual void on_event(const Event& event) = 0;

 protected:
  EventSink() = default;
  EventSink(EventSink&&) = default;
  EventSink& operator=(EventSink&&) = default;
};

}  // namespace madvtrace
