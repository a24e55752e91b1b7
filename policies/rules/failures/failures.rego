# METADATA
# title: Risk from recent failures of this service
# description: Changes that failed or were rolled back in this environment in the last seven days.
# scope: package
package rules.failures

known if is_number(input.recent_failures)

factor contains {"points": 2, "reason": "One change of this service failed here in the last 7 days."} if {
	input.recent_failures == 1
}

factor contains {"points": 4, "reason": reason} if {
	known
	input.recent_failures > 1
	reason := sprintf("%d changes of this service failed here in the last 7 days.", [input.recent_failures])
}

factor contains {"points": 2, "reason": "Recent failures are unknown."} if not known
