# METADATA
# title: The decision
# description: |
#   The one document that Holdpoint asks for. Every package under `rules` is taken in by itself: a new rule is a
#   new folder with `deny`, `warn` or `factor` (points of risk with their reason), and no edit here.
# scope: package
package holdpoint

import data.holdpoint.approvals
import data.holdpoint.obligations
import data.holdpoint.risk

# METADATA
# title: deny, warn, risk, approvals and obligations of one change
# scope: document
# entrypoint: true
decision := {
	"deny": sort({message | some message in data.rules[_].deny}),
	"warn": sort({message | some message in data.rules[_].warn}),
	"risk": {"level": risk.level, "reasons": risk.reasons},
	"approvals": approvals.need,
	"obligations": obligations.all,
}
