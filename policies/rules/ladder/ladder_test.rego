package rules.ladder_test

import data.rules.ladder
import data.testing

test_allow_where_nothing_is_required if {
	ladder.deny == set() with input as testing.production
	ladder.warn == set() with input as testing.production
}

test_allow_what_has_soaked if {
	ladder.deny == set() with input as testing.climbing([testing.rung])
	ladder.warn == set() with input as testing.climbing([testing.rung])
}

test_warn_what_has_yet_to_soak if {
	young := testing.climbing([object.union(testing.rung, {"soak": 60})])
	ladder.deny == set() with input as young
	ladder.warn == {"It waits until its artifact has run in staging for 30 min without a breach."} with input as young
}

test_deny_what_never_succeeded_there_and_say_what_to_do if {
	ladder.deny == {concat(" ", [
		"Its artifact has not succeeded in staging, which the catalog requires before production.",
		"Submit it to staging first, then with --promote-from staging.",
	])} with input as testing.climbing([])
}

test_deny_an_unknown_artifact if {
	count(ladder.deny) == 1 with input as object.union(testing.climbing([]), {"artifact": "unknown"})
}

test_deny_what_was_rolled_back_there if {
	denied := ladder.deny with input as testing.climbing([testing.breached])
	some message in denied
	contains(message, "chg-abcdefgh25, analysis_failed")
}

test_deny_what_ran_too_short if {
	short := {"running": false, "soak": 600, "ended_by": "chg-abcdefgh26"}
	denied := ladder.deny with input as testing.climbing([object.union(testing.rung, short)])
	some message in denied
	contains(message, "for 10 min of the 30 min")
}

test_deny_what_nobody_has_thought_of if {
	odd := object.union(testing.rung, {"running": "perhaps", "soak": 1})
	count(ladder.deny) == 1 with input as testing.climbing([odd])
}

test_deny_where_nobody_can_say_what_runs if {
	unknown := {"running": "unknown", "soak": "unknown", "soak_at_submit": "unknown"}
	count(ladder.deny) == 1 with input as testing.climbing([object.union(testing.rung, unknown)])
}

test_allow_an_emergency_with_a_warning if {
	urgent := object.union(testing.climbing([]), {"type": "emergency"})
	ladder.deny == set() with input as urgent
	count(ladder.warn) == 1 with input as urgent
}
