// SPDX-License-Identifier: Apache-2.0
// Streams of Go programs whose RSS has one reason each: what the summary says of it.
#pragma once

#include "tests/support/stream_builder.h"

namespace madvtrace::test {

void verdict_heap_in_use(StreamBuilder& stream);
void verdict_heap_grows(StreamBuilder& stream);
void verdict_idle_heap(StreamBuilder& stream);
void verdict_idle_heap_kept(StreamBuilder& stream);
void verdict_lazy_by_version(StreamBuilder& stream);
void verdict_lazy_by_setting(StreamBuilder& stream);
void verdict_lazy_by_program(StreamBuilder& stream);
void verdict_stacks(StreamBuilder& stream);
void verdict_other_memory(StreamBuilder& stream);
void verdict_files(StreamBuilder& stream);
void verdict_huge_pages(StreamBuilder& stream);
void verdict_no_books(StreamBuilder& stream);
void unexpected_advice(StreamBuilder& stream);

}  // namespace madvtrace::test
