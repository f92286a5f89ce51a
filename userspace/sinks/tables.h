// SPDX-License-Identifier: Apache-2.0
// The output tables: their header lines and how a row becomes a line, both from one list of
// columns a table (tables.cc). Columns are only ever appended; docs/csv-schema.md says what
// each means.
#pragma once

#include <string>

#include "model/rows.h"

namespace madvtrace {

// The header of the table of such rows, LF included. For the rows of append_line() below.
template <class Row>
const std::string& header_line();

// Each appends one line, LF included.
void append_line(std::string& out, const CallRow& row);
void append_line(std::string& out, const ReleaseRow& row);
void append_line(std::string& out, const SampleRow& row);
void append_line(std::string& out, const StackRow& row);
void append_line(std::string& out, const RssRow& row);

}  // namespace madvtrace
