package rules.clock_test

import data.rules.clock
import data.testing

points(fields) := total if {
	total := sum([factor.points | some factor in clock.factor]) with input as object.union(testing.staging, fields)
}

test_allow_office_hours if {
	points({"hour": 8}) == 0
	points({"hour": 17}) == 0
}

test_evening_night_and_weekend_raise_risk if {
	points({"hour": 18}) == 1
	points({"hour": 7}) == 1
	points({"weekday": "sat"}) == 1
	points({"weekday": "sun", "hour": 3}) == 1
}

test_unknown_hour_raises_risk if points({"hour": "unknown"}) == 1

test_missing_hour_raises_risk if {
	count(clock.factor) == 1 with input as object.remove(testing.staging, ["hour"])
}

test_a_change_that_waits_for_its_window_is_not_judged_by_the_hour if {
	clock.factor == set() with input as object.union(testing.production, {"hour": 3})
}

test_an_emergency_is_judged_by_the_hour if {
	count(clock.factor) == 1 with input as object.union(testing.production, {"hour": 3, "type": "emergency"})
}
