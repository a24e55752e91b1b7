# METADATA
# title: Risk from what no undo brings back
# description: |
#   A deletion is undone by making the object again, except where the plan says that this cannot be: data goes with
#   its volume, and a Job would run again. What a job or an http step did is taken back by its undo, if it has one.
# scope: package
package rules.irreversible

names contains name if {
	some step in input.plan
	step.kind == "delete"
	step.config.irreversible
	some object in step.config.objects
	name := sprintf("%s %s", [object.kind, object.name])
}

factor contains {"points": 6, "reason": reason} if {
	count(names) > 0
	reason := sprintf("The plan deletes what no undo brings back: %s.", [concat(", ", sort(names))])
}

effects contains name if {
	some step in input.plan
	step.kind == "job"
	step.config.cannotBeUndone
	name := sprintf("Job %s", [step.config.name])
}

effects contains name if {
	some step in input.plan
	step.kind == "http"
	step.config.cannotBeUndone
	name := sprintf("%s %s", [step.config.method, step.config.url])
}

factor contains {"points": 6, "reason": reason} if {
	count(effects) > 0
	reason := sprintf("The plan runs what no undo takes back: %s.", [concat(", ", sort(effects))])
}
