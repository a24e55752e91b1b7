package rules.size_test

import data.rules.size
import data.testing

points(diff) := total if {
	total := sum([factor.points | some factor in size.factor]) with input as object.union(testing.staging, {"diff": diff})
}

test_allow_small_diff if points({"added": 49, "removed": 0}) == 0

test_risk_rises_with_the_diff if {
	points({"added": 30, "removed": 20}) == 1
	points({"added": 300, "removed": 0}) == 3
}

test_first_rollout_counts_once_whatever_its_size if points({"base": null, "added": 5000}) == 1

test_unknown_diff_counts_like_a_large_one if points("unknown") == points({"added": 300, "removed": 0})

test_missing_diff_counts_like_an_unknown_one if {
	size.factor == {{"points": 3, "reason": "The size of the diff is unknown."}} with input as object.remove(
		testing.staging,
		["diff"],
	)
}
