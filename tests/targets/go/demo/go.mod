// SPDX-License-Identifier: Apache-2.0
module madvtrace.test/demo

go 1.19
