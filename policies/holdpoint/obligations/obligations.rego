# METADATA
# title: What must hold while the change runs
# description: |
#   A production change begins inside its service's window; an emergency and a rollback after success begin at once.
#   The obligation is carried inside the window too: it is a condition on when the change begins, and a decision that
#   changed with the clock would void approvals every evening. Every hold has a bound.
# scope: package
package holdpoint.obligations

import data.holdpoint.environments
import data.holdpoint.ladder
import data.holdpoint.risk
import data.holdpoint.ticket

hour := 3600

day := 24 * hour

all := {
	"window": window,
	"soak": ladder.soak,
	"checks": [],
	"prechecks": [],
	"postchecks": [],
	"recheck_after": recheck_after,
	"smallest_canary": smallest_canary,
	"review_within": review_within,
	"supersede": supersede,
	"hold_bound": hold_bound,
	"pause_bound": 1 * day,
	"schedule_bound": schedule_bound,
}

default window := false

window if {
	environments.production
	not ticket.urgent
	count(input.catalog.windows) > 0
}

default smallest_canary := null

# A canary that begins at more than this share, in percent, is denied. What is urgent must be able to go out at once.
smallest_canary := 25 if {
	environments.production
	not ticket.urgent
	risk.level == "high"
}

default review_within := null

# A rollback has skipped no look: an approver has seen it, and what it brings has been approved before.
review_within := 72 * hour if {
	input.type == "emergency"
	not ticket.rollback
}

# Every change was wanted by somebody: each runs in its turn. Where many revisions come in a row and only the newest is
# worth a run, let this be true for those.
default supersede := false

# Between the prechecks and the first write a hold may last for a day: after half an hour they run again.
recheck_after := 1800

default hold_bound := 14400

# What is urgent and cannot be judged is rolled back sooner: it was let through with fewer eyes on it.
hold_bound := 1 * hour if ticket.urgent

default schedule_bound := 1209600

schedule_bound := 1 * day if ticket.urgent
