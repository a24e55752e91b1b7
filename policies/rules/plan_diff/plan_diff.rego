# METADATA
# title: Risk from what the plan would alter on the cluster
# description: |
#   The API server's own dry run says it, object by object. What nobody could find out counts like something large.
#   What is deleted may not come back as it was. What would be refused fails before anything is written, and is said
#   while somebody can still mend it.
# scope: package
package rules.plan_diff

known if is_object(input.plan_diff)

factor contains {"points": 3, "reason": "What it would alter on the cluster is unknown."} if not known

factor contains {"points": 2, "reason": reason} if {
	input.plan_diff.deleted > 0
	reason := sprintf("Objects that would be deleted: %d.", [input.plan_diff.deleted])
}

warn contains message if {
	input.plan_diff.refused > 0
	message := sprintf("Objects that the API server would refuse: %d.", [input.plan_diff.refused])
}
