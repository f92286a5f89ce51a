// SPDX-License-Identifier: Apache-2.0
// The verdict in words: why RSS is what it is, and what to do about it, for this version
// of Go. What is advised holds for that version: the facts are those of model/verdict.h
// and golang/expected_advice.h.
#pragma once

#include <string>

#include "model/totals.h"
#include "model/verdict.h"

namespace madvtrace {

// Sentences on one line, for summary.json; empty where there is no verdict. paragraph()
// breaks them for people.
std::string verdict_text(const ProcessTotals& process);

}  // namespace madvtrace
