# METADATA
# title: What was rolled back on a service
# description: |
#   A digest whose analysis failed on a service, or that was rolled back there after it had succeeded, is denied in every
#   environment of the service until a person lifts the ban. An emergency and a rollback are no way around it.
# scope: package
package rules.bans

deny contains message if {
	some ban in input.artifact.bans
	message := sprintf("%s is banned on %s: %s brought it, and it was rolled back (%s). To let it come again: holdpoint ban lift %s --reason TEXT", [
		what[ban.covers],
		ban.service,
		ban.ticket,
		ban.code,
		ban.id,
	])
}

deny contains "Nobody can say what this change brings, so not whether it is banned." if input.artifact == "unknown"

what := {"artifact": "Its artifact", "content": "Exactly what it brings"}
