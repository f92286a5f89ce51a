module madvtrace.test/storm

go 1.19
