# METADATA
# title: The environment ladder
# description: |
#   Denies an artifact that has not succeeded where the catalog's `requires` says that it must have, and one whose run
#   there ended too soon or by a breach. One that has yet to soak is not denied: it waits (the `soak` obligation).
# scope: package
package rules.ladder

import data.holdpoint.ladder

deny contains message if {
	ladder.need
	input.type != "emergency"
	not ladder.met
	some message in reasons
}

# Whatever else it may be: what is not met is denied.
deny contains message if {
	ladder.need
	input.type != "emergency"
	not ladder.met
	count(reasons) == 0
	message := sprintf("Its artifact has not run in %s as the catalog requires.", [ladder.need.environment])
}

warn contains message if {
	ladder.soak
	ladder.met
	every rung in ladder.good { rung.soak < ladder.need.soak }
	message := sprintf("It waits until its artifact has run in %s for %s without a breach.", [
		ladder.need.environment,
		ladder.lasting(ladder.need.soak),
	])
}

warn contains message if {
	ladder.waived
	message := sprintf("An emergency goes without the run in %s that is required: it needs one more approval.", [
		ladder.need.environment,
	])
}

reasons contains message if {
	count(ladder.rungs) == 0
	message := sprintf(
		"Its artifact has not succeeded in %s, which the catalog requires before %s. Submit it to %s first, then with --promote-from %s.",
		[ladder.need.environment, input.environment, ladder.need.environment, ladder.need.environment],
	)
}

reasons contains message if {
	some rung in ladder.rungs
	rung.breach != null
	message := sprintf("Its artifact was rolled back in %s (%s, %s): it must succeed there anew before %s.", [
		rung.environment,
		rung.breach.ticket,
		rung.breach.code,
		input.environment,
	])
}

reasons contains message if {
	some rung in ladder.rungs
	rung.running == "unknown"
	message := sprintf("Nobody can say what runs in %s: a change of %s was left half undone there.", [
		rung.environment,
		rung.target,
	])
}

reasons contains message if {
	some rung in ladder.rungs
	rung.running == false
	rung.breach == null
	message := sprintf(
		"Its artifact ran in %s for %s of the %s that are required; then %s took its place. Submit it there again.",
		[rung.environment, ladder.lasting(rung.soak), ladder.lasting(ladder.need.soak), rung.ended_by],
	)
}
