package rules.window_test

import data.rules.window
import data.testing

test_allow_without_warning_inside_the_window if window.warn == set() with input as testing.production

test_warn_outside_the_window if {
	count(window.warn) == 1 with input as object.union(testing.production, {"in_window": false})
}

test_warn_when_it_is_unknown_whether_the_window_is_open if {
	count(window.warn) == 1 with input as object.union(testing.production, {"in_window": "unknown"})
}

test_warn_when_no_window_is_known if {
	count(window.warn) == 1 with input as object.union(testing.production, {"catalog": {"windows": []}})
}

test_allow_staging_emergencies_and_rollbacks_at_any_hour if {
	window.warn == set() with input as object.union(testing.staging, {"in_window": false})
	window.warn == set() with input as object.union(testing.production, {"type": "emergency", "in_window": false})
	window.warn == set() with input as object.union(testing.rollback, {"in_window": false})
}
