# METADATA
# title: Risk from the size of the diff
# description: Large diffs hide things. A diff that nobody could compute counts like a large one.
# scope: package
package rules.size

medium_from := 50

large_from := 300

known if is_object(input.diff)

lines := input.diff.added + input.diff.removed

factor contains {"points": 3, "reason": "The size of the diff is unknown."} if not known

factor contains {"points": 1, "reason": "First rollout on this target: there is nothing to compare with."} if {
	input.diff.base == null
}

factor contains {"points": 1, "reason": reason} if {
	input.diff.base != null
	lines >= medium_from
	lines < large_from
	reason := sprintf("The diff is of medium size: %d lines in %d files.", [lines, input.diff.files])
}

factor contains {"points": 3, "reason": reason} if {
	input.diff.base != null
	lines >= large_from
	reason := sprintf("The diff is large: %d lines in %d files.", [lines, input.diff.files])
}
