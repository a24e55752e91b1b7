package holdpoint.risk_test

import data.holdpoint.risk
import data.testing

test_low_when_everything_is_known_and_good if {
	risk.level == "low" with input as testing.production
	risk.reasons == [] with input as testing.production
}

test_unknown_budget_and_incidents_are_reasons_in_production if {
	risk.reasons == ["Open incidents are unknown.", "The error budget is unknown."] with input as testing.embedded
}

test_small_change_can_be_low_in_production_although_budget_and_incidents_are_unknown if {
	risk.level == "low" with input as testing.embedded
}

test_one_more_doubt_makes_an_unknown_production_change_medium if {
	risk.level == "medium" with input as object.union(testing.embedded, {"recent_failures": 1})
}

test_unknown_costs_nothing_in_staging_but_is_listed if {
	unknown := object.union(testing.embedded, {"environment": "staging"})
	risk.points == 0 with input as unknown
	count(risk.reasons) == 2 with input as unknown
}

test_high_when_doubts_add_up if {
	risk.level == "high" with input as object.union(testing.production, {
		"recent_failures": 3,
		"error_budget": 0.1,
	})
}

test_everything_unknown_is_high_in_production if {
	risk.level == "high" with input as object.union(testing.embedded, {
		"diff": "unknown",
		"recent_failures": "unknown",
	})
}

test_an_unknown_diff_is_not_low_in_production if {
	not risk.level == "low" with input as object.union(testing.production, {"diff": "unknown"})
}

test_knowing_is_never_worse_than_not_knowing if {
	every field, good in {"error_budget": 1, "open_incidents": 0, "recent_failures": 0} {
		known := risk.points with input as object.union(testing.production, {field: good})
		unknown := risk.points with input as object.union(testing.production, {field: "unknown"})
		known < unknown
	}
}
