// SPDX-License-Identifier: Apache-2.0
// Streams of a watched cgroup: what the tables and the summary say of it.
#pragma once

#include "tests/support/stream_builder.h"

namespace madvtrace::test {

void group_of_few(StreamBuilder& stream);
void group_of_many(StreamBuilder& stream);
void group_of_lazily_freed(StreamBuilder& stream);
void group_that_goes(StreamBuilder& stream);
void many_without_a_group(StreamBuilder& stream);

}  // namespace madvtrace::test
