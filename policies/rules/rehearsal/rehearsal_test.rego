package rules.rehearsal_test

import data.holdpoint
import data.rules.rehearsal
import data.testing

# High risk in production, of a service whose catalog entry asks for a rehearsal of the last seven days.
risky := object.union(testing.production, {
	"open_incidents": 1, "recent_failures": 2,
	"catalog": {"requires_rehearsal": {"younger_than": 604800}},
})

rehearsed(facts) := object.union(risky, {"rehearsal": object.union(
	{
		"ticket": "chg-abcdefgh24", "target": "eu-1/staging/shop", "at": "2026-03-01T10:00:00Z", "passed": true,
		"result": "restored", "message": "A rehearsal.", "plan_shape": "sha256:aa",
	},
	facts,
)})

test_allow_without_a_rehearsal_where_the_catalog_asks_for_none if {
	count(rehearsal.deny) == 0 with input as object.union(testing.production, {"open_incidents": 1, "recent_failures": 2})
	count(rehearsal.deny) == 0 with input as testing.staging
}

test_deny_high_risk_without_a_rehearsal if {
	some message in rehearsal.deny with input as risky
	contains(message, "no rehearsal of it is known")
	contains(message, "holdpoint rehearse FILE")
}

test_deny_is_in_the_decision if {
	some message in holdpoint.decision.deny with input as risky
	contains(message, "must be rehearsed first")
}

test_allow_high_risk_with_a_young_rehearsal if count(rehearsal.deny) == 0 with input as rehearsed({})

test_allow_whatever_is_not_of_high_risk if {
	count(rehearsal.deny) == 0 with input as object.union(risky, {"open_incidents": 0, "recent_failures": 0})
}

test_deny_an_old_rehearsal if {
	some message in rehearsal.deny with input as rehearsed({"at": "2026-02-23T10:00:00Z"})
	contains(message, "is older than 7 days")
}

test_allow_one_that_is_old_by_less_than_the_age if {
	count(rehearsal.deny) == 0 with input as rehearsed({"at": "2026-02-23T10:00:01Z"})
}

test_deny_a_rehearsal_that_did_not_pass if {
	every facts in [{"passed": false}, {"result": "partial"}, {"result": "diverged"}, {"result": null}, {"plan_shape": "sha256:bb"}] {
		some message in rehearsal.deny with input as rehearsed(facts)
		contains(message, "chg-abcdefgh24, did not pass")
	}
}

test_allow_what_is_urgent_without if {
	count(rehearsal.deny) == 0 with input as object.union(risky, {"type": "emergency"})
	count(rehearsal.deny) == 0 with input as object.union(risky, {"rolls_back": testing.rollback.rolls_back})
}

test_allow_the_rehearsal_itself if {
	count(rehearsal.deny) == 0 with input as object.union(risky, {"is_rehearsal": true})
	count(rehearsal.deny) == 0 with input as object.union(risky, {"environment": "staging"})
}
