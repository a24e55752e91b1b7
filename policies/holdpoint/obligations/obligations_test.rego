package holdpoint.obligations_test

import data.holdpoint.obligations
import data.testing

test_window_in_production if obligations.all.window with input as testing.production

test_window_outside_it_too if {
	obligations.all.window with input as object.union(testing.production, {"in_window": false})
}

test_no_window_in_staging if not obligations.all.window with input as testing.staging

test_no_window_where_none_is_known if {
	not obligations.all.window with input as object.union(testing.production, {"catalog": {"windows": []}})
}

test_emergency_waits_for_no_window_and_is_reviewed_within_three_days if {
	all := obligations.all with input as object.union(testing.production, {"type": "emergency", "in_window": false})
	not all.window
	all.review_within == 259200
}

test_only_an_emergency_is_reviewed if {
	obligations.all.review_within == null with input as object.union(testing.production, {"type": "normal"})
}

test_every_hold_has_a_bound if {
	every type in ["standard", "normal", "emergency"] {
		all := obligations.all with input as object.union(testing.production, {"type": type})
		all.hold_bound > 0
		all.pause_bound > 0
		all.schedule_bound > 0
	}
}

risky := object.union(testing.production, {"open_incidents": 1, "recent_failures": 2})

test_high_risk_in_production_begins_with_a_small_canary if obligations.all.smallest_canary == 25 with input as risky

test_any_canary_may_begin_where_risk_is_not_high if {
	obligations.all.smallest_canary == null with input as testing.production
	obligations.all.smallest_canary == null with input as object.union(testing.production, {"recent_failures": 2})
}

test_any_canary_may_begin_outside_production if {
	obligations.all.smallest_canary == null with input as object.union(risky, {"environment": "staging"})
}

test_an_emergency_begins_as_it_must if {
	obligations.all.smallest_canary == null with input as object.union(risky, {"type": "emergency"})
}

test_rollback_waits_for_no_window_needs_no_canary_and_owes_no_review if {
	every type in ["standard", "normal", "emergency"] {
		all := obligations.all with input as object.union(
			testing.rollback,
			{"type": type, "open_incidents": 1, "recent_failures": 2},
		)
		not all.window
		all.smallest_canary == null
		all.review_within == null
		all.schedule_bound == 86400
	}
}

test_nothing_is_replaced_by_something_newer if {
	every one in [testing.staging, testing.production, testing.rollback] {
		not obligations.all.supersede with input as one
	}
}
