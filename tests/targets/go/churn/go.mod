module madvtrace.test/churn

go 1.19
