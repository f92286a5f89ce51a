// SPDX-License-Identifier: Apache-2.0
// The machine that the tests in vmtests/ have to themselves: they change its settings,
// fill its memory, give it swap. In no other place do they run.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "tests/live/lazy_test.h"

namespace madvtrace {

// Swap on compressed memory; gone with this. Whoever has pages in it has to be gone.
class ZramSwap {
 public:
  ZramSwap();
  ~ZramSwap();
  ZramSwap(const ZramSwap&) = delete;
  ZramSwap& operator=(const ZramSwap&) = delete;
};

class VmTest : public LazyTest {
 protected:
  void SetUp() override;
  // Everything that was started ends before the group goes.
  void TearDown() override;

  void make_group();

  // Bytes of the rows of what was reclaimed with this `by`.
  std::int64_t reclaimed_by(const std::string& by) const;

  std::unique_ptr<PressureGroup> group_;
  std::unique_ptr<ZramSwap> swap_;
};

// A setting of the kernel's, in a file; as before when this ends.
class Setting {
 public:
  Setting(std::string path, const std::string& value);
  ~Setting();
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  std::string path_;
  std::string before_;
};

// Looks every few milliseconds until `done`, or the time is over: whether it is done.
bool wait_until(const std::function<bool()>& done, std::chrono::seconds at_most = std::chrono::seconds(60));

}  // namespace madvtrace
