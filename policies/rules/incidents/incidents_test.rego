package rules.incidents_test

import data.rules.incidents
import data.testing

points(base, open) := total if {
	total := sum([factor.points | some factor in incidents.factor]) with input as object.union(
		base,
		{"open_incidents": open},
	)
}

test_allow_no_incident if points(testing.production, 0) == 0

test_open_incident_raises_risk if points(testing.production, 1) == 4

test_unknown_incidents_are_a_reason_everywhere_and_cost_in_production if {
	points(testing.production, "unknown") == 1
	points(testing.staging, "unknown") == 0
	count(incidents.factor) == 1 with input as object.union(testing.staging, {"open_incidents": "unknown"})
}
