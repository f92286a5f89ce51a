module madvtrace.test/causes

go 1.19
