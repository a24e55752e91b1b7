package holdpoint.approvals_test

import data.holdpoint.approvals
import data.testing

risky := {"recent_failures": 5, "error_budget": 0, "open_incidents": 2}

test_standard_in_staging_needs_none if approvals.count == 0 with input as testing.staging

test_standard_in_staging_needs_none_whatever_the_risk if {
	approvals.count == 0 with input as object.union(testing.staging, risky)
}

for_good := {"plan": [{"kind": "job", "config": {"name": "migrate", "cannotBeUndone": true}}]}

test_standard_with_a_job_that_cannot_be_undone_needs_one_anywhere if {
	approvals.count == 1 with input as object.union(testing.staging, for_good)
	approvals.count == 1 with input as object.union(testing.production, for_good)
}

test_standard_with_a_job_that_can_be_undone_needs_none_in_staging if {
	undone := {"plan": [{"kind": "job", "config": {"name": "migrate", "cannotBeUndone": false}}]}
	approvals.count == 0 with input as object.union(testing.staging, undone)
}

test_rollback_with_a_job_that_cannot_be_undone_needs_one if {
	approvals.count == 1 with input as object.union(object.union(testing.staging, testing.rollback), for_good)
}

test_standard_in_production_needs_none_when_proven_at_low_risk if {
	approvals.count == 0 with input as testing.production
}

test_standard_in_production_needs_none_in_the_embedded_stack_when_proven if {
	approvals.count == 0 with input as testing.embedded
}

test_standard_in_production_needs_one_when_not_proven if {
	approvals.count == 1 with input as object.union(testing.production, {"shape_succeeded": false})
}

test_standard_in_production_needs_one_when_proof_is_unknown if {
	approvals.count == 1 with input as object.union(testing.production, {"shape_succeeded": "unknown"})
}

test_standard_in_production_needs_one_above_low_risk if {
	approvals.count == 1 with input as object.union(testing.production, risky)
}

test_normal_needs_one if {
	approvals.count == 1 with input as object.union(testing.production, {"type": "normal"})
	approvals.count == 1 with input as object.union(testing.staging, {"type": "normal"})
}

test_normal_needs_two_at_high_risk if {
	every base in [testing.staging, testing.production] {
		approvals.count == 2 with input as object.union(object.union(base, risky), {"type": "normal"})
	}
}

test_emergency_needs_one_even_at_high_risk if {
	approvals.count == 1 with input as object.union(object.union(testing.production, risky), {"type": "emergency"})
}

test_unknown_type_needs_two if approvals.count == 2 with input as object.union(testing.staging, {"type": "quick"})

test_who_approves_is_named_only_when_somebody_must if {
	approvals.need.groups == [] with input as testing.staging
	approvals.need.groups == ["approver"] with input as object.union(testing.staging, {"type": "normal"})
}

test_ladder_rises if {
	every type in ["standard", "normal", "emergency"] {
		need := approvals.need with input as object.union(testing.production, {"type": type})
		need.remind_after < need.escalate_after
		need.escalate_after < need.expire_after
	}
}

test_emergency_is_escalated_within_minutes if {
	approvals.need.escalate_after == 900 with input as object.union(testing.production, {"type": "emergency"})
}

test_rollback_needs_one_whatever_its_type_environment_and_risk if {
	every base in [testing.staging, testing.production, object.union(testing.production, risky)] {
		every type in ["standard", "normal", "emergency"] {
			back := object.union(base, {"type": type, "rolls_back": testing.rollback.rolls_back})
			approvals.count == 1 with input as back
		}
	}
}

test_rollback_is_approved_by_an_approver_and_escalated_within_minutes if {
	need := approvals.need with input as testing.rollback
	need.groups == ["approver"]
	need.escalate_after == 900
}

test_emergency_that_skips_the_ladder_needs_one_more if {
	approvals.count == 2 with input as object.union(testing.climbing([]), {"type": "emergency"})
	approvals.count == 1 with input as object.union(testing.climbing([testing.rung]), {"type": "emergency"})
}

test_ladder_asks_nobody_else_for_more if {
	approvals.count == 0 with input as testing.climbing([testing.rung])
	back := {"type": "emergency", "rolls_back": {"ticket": "chg-abcdefgh22", "to": "chg-abcdefgh24"}}
	approvals.count == 1 with input as object.union(testing.climbing([]), back)
}
