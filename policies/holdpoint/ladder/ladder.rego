# METADATA
# title: What must have succeeded elsewhere before a change may go here
# description: |
#   The catalog's `requires` says for an environment where the artifact must have succeeded, and how long it must have run
#   there without a breach. A rollback after success climbs no ladder, nor does a plan that writes nothing. An emergency may
#   go without, and needs one more approval then. Nothing here follows the clock: that the soak is over is waited for, not
#   decided, and an emergency is measured by the moment at which it was submitted.
# scope: package
package holdpoint.ladder

import data.holdpoint.ticket

need := input.catalog.requires[input.environment] if {
	not ticket.rollback
	not input.artifact.written == false
}

rungs := [rung |
	some rung in input.artifact.ladder
	rung.environment == need.environment
]

# A run that goes on, or one that has ended well after it had lasted long enough.
good contains rung if {
	some rung in rungs
	rung.running == true
}

good contains rung if {
	some rung in rungs
	rung.running == false
	rung.since != null
	rung.breach == null
	is_number(rung.soak) # any word would be more than any number
	rung.soak >= need.soak
}

default met := false

met if count(good) > 0

default waived := false

waived if {
	need
	input.type == "emergency"
	not soaked_at_submit
}

soaked_at_submit if {
	some rung in good
	is_number(rung.soak_at_submit)
	rung.soak_at_submit >= need.soak
}

default soak := null

soak := {"environment": need.environment, "seconds": need.soak} if {
	need.soak > 0
	input.type != "emergency"
}

# How long something lasts, in words.
lasting(seconds) := sprintf("%d s", [round(seconds)]) if seconds < 120

lasting(seconds) := sprintf("%d min", [round(seconds / 60)]) if {
	seconds >= 120
	seconds < 7200
}

lasting(seconds) := sprintf("%v h", [round(seconds / 360) / 10]) if seconds >= 7200
