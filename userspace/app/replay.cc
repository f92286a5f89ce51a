// SPDX-License-Identifier: Apache-2.0
#include "app/replay.h"

#include <spdlog/spdlog.h>

#include "app/exit_code.h"
#include "app/outputs.h"
#include "model/trace.h"
#include "stream/decoder.h"
#include "stream/recording_reader.h"

namespace madvtrace {

Result<ExitCode> replay(const Options& options) {
  Result<RecordingReader> reader = RecordingReader::open(options.recording);
  if (!reader) return tl::unexpected(reader.error());
  Result<std::unique_ptr<Outputs>> outputs = Outputs::create(options);
  if (!outputs) return tl::unexpected(outputs.error());

  Trace trace(**outputs);
  Decoder decoder({&trace});
  if (const Status read = reader->drain(decoder); !read) return tl::unexpected(read.error());
  if (reader->damaged_chunks() != 0) {
    trace.apply(Loss{.cause = "recording_damaged", .count = reader->damaged_chunks()});
    spdlog::warn("{}: {} damaged parts left out", options.recording, reader->damaged_chunks());
  }
  if (reader->truncated()) spdlog::warn("{} ends in the middle of a trace", options.recording);
  trace.finish();
  (*outputs)->finish(trace.totals());
  if (const Status written = (*outputs)->status(); !written) return tl::unexpected(written.error());
  return exit_code_of(trace.totals());
}

}  // namespace madvtrace
