# METADATA
# title: How many approvals a change needs, from whom, and how long they are waited for
# description: |
#   standard: none outside production whatever the risk, but one for what no undo takes back (a Job, a request); in production none at low risk when the same plan shape has
#   succeeded there before, else one. normal: one, two at high risk. emergency: one, and a review after; two where it goes
#   without the run elsewhere that the catalog requires. A rollback after success: one, whatever its type. The requester never counts; Holdpoint counts the quorum from its ledger.
# scope: package
package holdpoint.approvals

import data.holdpoint.environments
import data.holdpoint.ladder as environment_ladder
import data.holdpoint.risk
import data.holdpoint.ticket
import data.rules.irreversible

need := object.union({"count": count, "groups": groups}, ladder)

# What is not one of the three types is denied by rules.request; should that rule be lost, two people must look.
default count := 2

# What comes back has been approved here before, and whoever waits for a second approver waits with a bad version.
count := 1 if ticket.rollback

count := 0 if {
	not ticket.rollback
	input.type == "standard"
	environments.relaxed
	not lasting
}

count := 1 if {
	input.type == "standard"
	environments.relaxed
	lasting
}

count := 0 if {
	not ticket.rollback
	input.type == "standard"
	environments.production
	proven
}

count := 1 if {
	input.type == "standard"
	environments.production
	not proven
}

count := 1 if {
	input.type == "normal"
	risk.level != "high"
}

count := 1 if {
	input.type == "emergency"
	not environment_ladder.waived
}

count := 2 if {
	input.type == "emergency"
	environment_ladder.waived
}

# What stays after a rollback is a person's to allow, anywhere.
lasting if some _ in irreversible.effects

proven if {
	risk.level == "low"
	input.shape_succeeded == true
}

groups := ["approver"] if count > 0

groups := [] if count == 0

minute := 60

hour := 60 * minute

default ladder := {"remind_after": 3600, "escalate_after": 14400, "expire_after": 259200}

# What is urgent and is not looked at within minutes must reach somebody else within minutes.
ladder := {
	"remind_after": 5 * minute,
	"escalate_after": 15 * minute,
	"expire_after": 4 * hour,
} if {
	ticket.urgent
}
