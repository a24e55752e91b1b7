# METADATA
# title: Risk from open incidents
# description: |
#   An open incident of the service makes every change to it riskier. Unknown is a reason everywhere and costs a point
#   in production: it is never read as none.
# scope: package
package rules.incidents

import data.holdpoint.environments

known if is_number(input.open_incidents)

factor contains {"points": 4, "reason": reason} if {
	known
	input.open_incidents > 0
	reason := sprintf("Open incidents of this service: %d.", [input.open_incidents])
}

factor contains {"points": 1, "reason": "Open incidents are unknown."} if {
	not known
	environments.production
}

factor contains {"points": 0, "reason": "Open incidents are unknown."} if {
	not known
	environments.relaxed
}
