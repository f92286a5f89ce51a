// SPDX-License-Identifier: Apache-2.0
// The books of a Go process, from its pid alone.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "golang/books.h"

namespace madvtrace {

Result<BooksReader> locate_books(pid_t pid);

}  // namespace madvtrace
