package holdpoint.ladder_test

import data.holdpoint.ladder
import data.testing

test_nothing_is_needed_where_the_catalog_requires_nothing if {
	not ladder.need with input as testing.production
	ladder.soak == null with input as testing.production
}

test_a_run_that_goes_on_is_met_and_its_soak_is_waited_for if {
	fresh := testing.climbing([object.union(testing.rung, {"soak": 1, "soak_at_submit": 0})])
	ladder.met with input as fresh
	ladder.soak == {"environment": "staging", "seconds": 1800} with input as fresh
}

test_the_soak_is_the_same_before_and_after_it_is_over if {
	before := ladder.soak with input as testing.climbing([object.union(testing.rung, {"soak": 1})])
	after := ladder.soak with input as testing.climbing([object.union(testing.rung, {"soak": 999999})])
	before == after
}

test_a_run_that_ended_after_it_had_lasted_is_met if {
	ladder.met with input as testing.climbing([object.union(testing.rung, {"running": false})])
}

test_a_run_that_ended_too_soon_is_not_met if {
	not ladder.met with input as testing.climbing([object.union(testing.rung, {"running": false, "soak": 600})])
}

test_what_runs_there_being_unknown_is_never_good if {
	not ladder.met with input as testing.climbing([object.union(testing.rung, {"running": "unknown", "soak": "unknown"})])
	not ladder.met with input as object.union(testing.climbing([testing.rung]), {"artifact": "unknown"})
}

test_a_breach_is_not_met if {
	not ladder.met with input as testing.climbing([testing.breached])
}

test_another_environment_is_no_rung_of_this_one if {
	not ladder.met with input as testing.climbing([object.union(testing.rung, {"environment": "qa"})])
}

test_a_rollback_and_a_plan_that_writes_nothing_climb_nothing if {
	back := {"rolls_back": {"ticket": "chg-abcdefgh22", "to": "chg-abcdefgh24"}}
	not ladder.need with input as object.union(testing.climbing([]), back)
	not ladder.need with input as object.union(testing.climbing([]), {"artifact": {"written": false}})
}

test_an_emergency_waits_for_no_soak if {
	ladder.soak == null with input as object.union(testing.climbing([testing.rung]), {"type": "emergency"})
}

test_an_emergency_is_measured_by_when_it_was_submitted if {
	urgent := {"type": "emergency"}
	not ladder.waived with input as object.union(testing.climbing([testing.rung]), urgent)
	young := object.union(testing.rung, {"soak_at_submit": 60})
	ladder.waived with input as object.union(testing.climbing([young]), urgent)
	ladder.waived with input as object.union(testing.climbing([]), urgent)
	not ladder.waived with input as testing.climbing([])
}

test_times_are_told_in_words if {
	ladder.lasting(90) == "90 s"
	ladder.lasting(1800) == "30 min"
	ladder.lasting(9000) == "2.5 h"
	ladder.lasting(86400) == "24 h"
}
