// SPDX-License-Identifier: Apache-2.0
module madvtrace.test/soft_delete

go 1.19
