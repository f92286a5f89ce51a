// SPDX-License-Identifier: Apache-2.0
// The columns of samples.csv. What a sample holds stands in the tables of fields beside its
// structs (model/event.h, model/waterfall.h); here is only which of it are columns, and in
// which order.
#pragma once

#include <string>
#include <string_view>

#include "model/rows.h"

namespace madvtrace {

// Their names with commas between and LF at the end.
std::string_view sample_columns();

// A name in the list that no field has is a bug, which the tests find: it would be an
// empty column.
bool every_sample_column_is_known();

void append_sample_line(std::string& out, const SampleRow& row);

}  // namespace madvtrace
