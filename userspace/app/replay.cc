// SPDX-License-Identifier: Apache-2.0
#include "app/replay.h"

#include <spdlog/spdlog.h>

#include "app/exit_code.h"
#include "app/outputs.h"
#include "base/losses.h"
#include "model/trace.h"
#include "stream/decoder.h"
#include "stream/recording_reader.h"

namespace madvtrace {

Result<ExitCode> replay(const Options& options) {
  MADV_TAKE(RecordingReader reader, RecordingReader::open(options.recording));
  MADV_TAKE(auto outputs, Outputs::create(options));

  Trace trace(*outputs);
  Decoder decoder({&trace});
  MADV_TRY(reader.drain(decoder));
  if (reader.damaged_chunks() != 0) {
    trace.apply(Loss{.cause = loss_name(LossCause::kRecordingDamaged), .count = reader.damaged_chunks()});
    spdlog::warn("{}: {} damaged parts left out", options.recording, reader.damaged_chunks());
  }
  if (reader.truncated()) spdlog::warn("{} ends in the middle of a trace", options.recording);
  trace.finish();
  outputs->finish(trace.totals());
  MADV_TRY(outputs->status());
  return exit_code_of(trace.totals());
}

}  // namespace madvtrace
