package rules.plan_diff_test

import data.holdpoint
import data.rules.plan_diff
import data.testing

with_facts(facts) := object.union(testing.production, {"plan_diff": facts})

points(facts) := total if {
	total := sum([factor.points | some factor in plan_diff.factor]) with input as with_facts(facts)
}

test_allow_what_is_known_and_deletes_nothing if points({"created": 4, "changed": 9, "deleted": 0, "refused": 0}) == 0

test_risk_rises_with_what_is_deleted if points({"deleted": 1, "refused": 0}) == 2

test_unknown_is_never_good if {
	points("unknown") == 3
	holdpoint.decision.risk.level == "medium" with input as with_facts("unknown")
	holdpoint.decision.approvals.count == 1 with input as with_facts("unknown")
	"What it would alter on the cluster is unknown." in holdpoint.decision.risk.reasons with input as with_facts("unknown")
}

test_missing_counts_like_unknown_and_is_denied if {
	without := object.remove(testing.production, ["plan_diff"])
	plan_diff.factor == {{"points": 3, "reason": "What it would alter on the cluster is unknown."}} with input as without
	count(holdpoint.decision.deny) == 1 with input as without
}

test_warn_of_what_would_be_refused if {
	plan_diff.warn == {"Objects that the API server would refuse: 2."} with input as with_facts({"deleted": 0, "refused": 2})
	count(plan_diff.warn) == 0 with input as testing.production
}
