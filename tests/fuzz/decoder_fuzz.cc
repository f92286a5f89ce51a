// SPDX-License-Identifier: Apache-2.0
// Any bytes as a stream of records: decoded, and through the whole model. What the
// model gives out is added up by the sinks as in a replay.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "bpf/records.h"
#include "model/trace.h"
#include "sinks/summary_json.h"
#include "sinks/summary_text.h"
#include "sinks/tables.h"
#include "stream/decoder.h"

namespace {

class LineSink : public madvtrace::RowSink {
 public:
  void on_call(const madvtrace::CallRow& row) override { write(row); }
  void on_release(const madvtrace::ReleaseRow& row) override { write(row); }
  void on_sample(const madvtrace::SampleRow& row) override { write(row); }
  void on_stack(const madvtrace::StackRow& row) override { write(row); }
  void on_rss(const madvtrace::RssRow& row) override { write(row); }

 private:
  template <class Row>
  void write(const Row& row) {
    line_.clear();
    madvtrace::append_line(line_, row);
    if (line_.empty() || line_.find('\n') != line_.size() - 1) __builtin_trap();
  }
  std::string line_;
};

}  // namespace

// Records are cut where their headers say they end, and at the end of the input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  LineSink sink;
  madvtrace::Trace trace(sink);
  madvtrace::Decoder decoder({&trace});
  madvtrace::RecordBytes left(reinterpret_cast<const std::byte*>(data), size);
  while (!left.empty()) {
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, left.data(), std::min(sizeof(bytes), left.size()));
    const madvtrace::RecordBytes record = left.first(std::clamp<std::size_t>(bytes, 1, left.size()));
    decoder.on_record(record);
    left = left.subspan(record.size());
  }
  trace.finish();
  if (madvtrace::summary_json(trace.totals()).empty()) __builtin_trap();
  if (madvtrace::summary_text(trace.totals()).empty()) __builtin_trap();
  return 0;
}
