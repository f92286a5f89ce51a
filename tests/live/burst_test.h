// SPDX-License-Identifier: Apache-2.0
// What the tests of load and of faults share: tests/targets/c/burst.c under a trace, and
// the one balance that has to be right whatever happens: seen + lost = made.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/live/live_test.h"

namespace madvtrace {

class BurstTest : public LiveTest {
 protected:
  // tests/targets/c/burst.c, at its gate and past it.
  void start_burst(const std::vector<std::string>& arguments);

  // One step of it, from its begin to its end: what it tells. Null after a failure.
  nlohmann::json step(char name);
  void begin_step(char name);
  nlohmann::json end_step();

  // What it was given back was empty and what it kept was whole; it goes on and ends well.
  void expect_unharmed(const nlohmann::json& burst);

  // Waits until a whole interval has been sampled that began after this was called: by then
  // all that was in the ring is in the files.
  void wait_until_drained();

  std::unique_ptr<TracedProgram> burst_;
};

// Calls that are in no row, by what summary.json says of losses.
std::int64_t lost_calls(const nlohmann::json& summary);

}  // namespace madvtrace
