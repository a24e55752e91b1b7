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

test_reason_names_day_hour_and_zone if {
	clock.factor == {{"points": 1, "reason": "It would run outside office hours (Saturday 09:00 UTC)."}} with input as object.union(
		testing.staging,
		{"weekday": "sat", "hour": 9},
	)
}

test_reason_is_by_the_clock_of_the_services_window if {
	some factor in clock.factor with input as object.union(
		testing.staging,
		{"hour": 19, "catalog": {"windows": [{"days": ["mon"], "start": "09:00", "end": "17:00", "zone": "Europe/Berlin"}]}},
	)
	contains(factor.reason, "Monday 19:00 Europe/Berlin")
}

test_weekend_raises_risk_at_an_unknown_hour_too if {
	count(clock.factor) == 2 with input as object.union(testing.staging, {"weekday": "sun", "hour": "unknown"})
}
