// SPDX-License-Identifier: Apache-2.0
// A process that is traced: what is known of it while it lives. It ends with the process,
// so that another process of the same pid begins with nothing.
#pragma once

#include <memory>

#include "golang/books.h"

namespace madvtrace {

struct Target {
  // The books of its Go runtime, once they were found.
  std::shared_ptr<const BooksReader> books;
  bool books_have_answered = false;
};

}  // namespace madvtrace
