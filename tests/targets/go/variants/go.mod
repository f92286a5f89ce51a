// SPDX-License-Identifier: Apache-2.0
module madvtrace.test/variants

go 1.19
