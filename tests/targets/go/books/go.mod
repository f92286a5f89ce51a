// SPDX-License-Identifier: Apache-2.0
module madvtrace.test/books

go 1.19
