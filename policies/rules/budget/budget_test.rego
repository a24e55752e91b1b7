package rules.budget_test

import data.rules.budget
import data.testing

points(base, left) := total if {
	total := sum([factor.points | some factor in budget.factor]) with input as object.union(
		base,
		{"error_budget": left},
	)
}

test_allow_enough_budget if points(testing.production, 0.25) == 0

test_little_budget_raises_risk if points(testing.production, 0.2) == 2

test_spent_budget_raises_risk_more if {
	points(testing.production, 0) == 4
	points(testing.production, -1.5) == 4
}

test_unknown_budget_is_a_reason_everywhere_and_costs_in_production if {
	points(testing.production, "unknown") == 1
	points(testing.staging, "unknown") == 0
	count(budget.factor) == 1 with input as object.union(testing.staging, {"error_budget": "unknown"})
}
