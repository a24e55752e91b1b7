# METADATA
# title: Risk from what the plan deletes
# description: |
#   What is deleted stops serving whoever still uses it. An undo makes it again, except where the plan says that it
#   is irreversible.
# scope: package
package rules.deletion

deleting contains step if {
	some step in input.plan
	step.kind == "delete"
}

irreversible contains step if {
	some step in deleting
	step.config.irreversible
}

names := concat(", ", sort({name |
	some step in deleting
	some object in step.config.objects
	name := sprintf("%s %s", [object.kind, object.name])
}))

factor contains {"points": 1, "reason": sprintf("The plan deletes %s.", [names])} if {
	count(deleting) > 0
	count(irreversible) == 0
}

factor contains {"points": 6, "reason": sprintf("The plan deletes what no undo brings back: %s.", [names])} if {
	count(irreversible) > 0
}
