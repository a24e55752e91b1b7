# METADATA
# title: A rehearsal before a risky production change
# description: |
#   Where the catalog asks for one (`requiresRehearsal`), a production change of high risk needs a rehearsal of the same
#   objects under the same plan that ran, was verified, was restored, and is young enough. The last one counts, whatever
#   it came to. What is urgent, an emergency or a rollback after success, must be able to go out without.
# scope: package
package rules.rehearsal

import data.holdpoint.environments
import data.holdpoint.risk
import data.holdpoint.ticket

how := "Run: holdpoint rehearse FILE --target CLUSTER/NAMESPACE"

youngest := input.catalog.requires_rehearsal.younger_than if {
	environments.production
	not ticket.urgent
	not input.is_rehearsal == true
	risk.level == "high"
}

known if is_object(input.rehearsal)

passed if {
	input.rehearsal.passed == true
	input.rehearsal.result == "restored"
	input.rehearsal.plan_shape == input.plan_shape
}

age := (time.parse_rfc3339_ns(input.now) - time.parse_rfc3339_ns(input.rehearsal.at)) / 1000000000

deny contains message if {
	youngest
	not known
	message := sprintf("A change of high risk must be rehearsed first, and no rehearsal of it is known. %s.", [how])
}

deny contains message if {
	youngest
	known
	not passed
	message := sprintf("Its last rehearsal, %v, did not pass: %v %s.", [input.rehearsal.ticket, input.rehearsal.message, how])
}

deny contains message if {
	youngest
	known
	passed
	not age < youngest
	message := sprintf(
		"Its last rehearsal, %v, is older than %v days: it was over at %v. %s.",
		[input.rehearsal.ticket, youngest / 86400, input.rehearsal.at, how],
	)
}
