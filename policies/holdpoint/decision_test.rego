package holdpoint_test

import data.holdpoint
import data.testing

test_allow_healthy_standard_change_in_staging if {
	holdpoint.decision == {
		"deny": [],
		"warn": [],
		"risk": {"level": "low", "reasons": []},
		"approvals": {
			"count": 0, "groups": [],
			"remind_after": 3600, "escalate_after": 14400, "expire_after": 259200,
		},
		"obligations": {
			"window": false, "soak": null, "checks": [], "prechecks": [], "postchecks": [], "recheck_after": 1800, "smallest_canary": null, "review_within": null, "supersede": false,
			"hold_bound": 14400, "pause_bound": 86400, "schedule_bound": 1209600,
		},
	} with input as testing.staging
}

test_deny_collects_every_objection if {
	count(holdpoint.decision.deny) == 2 with input as object.union(testing.production, {
		"images": ["shop:latest"],
		"catalog": {"known": false},
	})
}

test_deny_empty_input_and_never_leave_it_undefined if {
	decision := holdpoint.decision with input as {}
	count(decision.deny) > 0
	decision.approvals.count == 2
}

test_deny_a_rule_in_a_new_folder_counts_without_an_edit if {
	holdpoint.decision.deny == ["No."] with input as testing.staging with data.rules.ours as {"deny": {"No."}}
}

test_decision_does_not_change_with_the_clock_of_a_windowed_change if {
	inside := holdpoint.decision with input as testing.production
	outside := holdpoint.decision with input as object.union(
		testing.production,
		{"in_window": false, "hour": 23, "weekday": "sat"},
	)
	object.remove(inside, ["warn"]) == object.remove(outside, ["warn"])
}
