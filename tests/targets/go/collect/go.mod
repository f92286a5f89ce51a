// SPDX-License-Identifier: Apache-2.0
module madvtrace.test/collect

go 1.19
