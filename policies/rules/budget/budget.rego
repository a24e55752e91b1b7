# METADATA
# title: Risk from the error budget left
# description: |
#   The share of the error budget that is left, 1 is all of it. An unknown budget is a reason everywhere and costs a
#   point in production: it is never read as a full one.
# scope: package
package rules.budget

import data.holdpoint.environments

low_below := 0.25

known if is_number(input.error_budget)

factor contains {"points": 4, "reason": "The error budget is spent."} if {
	known
	input.error_budget <= 0
}

factor contains {"points": 2, "reason": reason} if {
	known
	input.error_budget > 0
	input.error_budget < low_below
	reason := sprintf("Only %d %% of the error budget is left.", [floor(input.error_budget * 100)])
}

factor contains {"points": 1, "reason": "The error budget is unknown."} if {
	not known
	environments.production
}

factor contains {"points": 0, "reason": "The error budget is unknown."} if {
	not known
	environments.relaxed
}
