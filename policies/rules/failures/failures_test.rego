package rules.failures_test

import data.rules.failures
import data.testing

points(seen) := total if {
	total := sum([factor.points | some factor in failures.factor]) with input as object.union(
		testing.staging,
		{"recent_failures": seen},
	)
}

test_allow_no_failures if points(0) == 0

test_failures_raise_risk if {
	points(1) == 2
	points(2) == 4
}

test_unknown_failures_count_like_one if points("unknown") == 2

test_missing_failures_count_like_unknown_ones if {
	count(failures.factor) == 1 with input as object.remove(testing.staging, ["recent_failures"])
}
