# METADATA
# title: The request must be complete
# description: |
#   A rule that looks at a missing field decides nothing, which would read as "no objection". So a field that is
#   missing is an objection by itself.
# scope: package
package rules.request

types := {"standard", "normal", "emergency"}

required := {
	"ticket", "purpose", "service", "environment", "type", "requester", "repository", "commit", "target",
	"artifact", "images", "plan", "shape_succeeded", "catalog", "diff", "plan_diff", "recent_failures",
	"error_budget", "open_incidents", "rolls_back", "weekday", "hour", "in_window",
}

deny contains message if {
	missing := required - object.keys(input)
	count(missing) > 0
	message := sprintf("The policy input lacks %s.", [concat(", ", sort(missing))])
}

deny contains message if {
	not input.type in types
	message := sprintf("metadata.type is %v; allowed are emergency, normal and standard.", [object.get(input, "type", "missing")])
}
