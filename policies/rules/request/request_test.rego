package rules.request_test

import data.rules.request
import data.testing

test_allow_complete_request if request.deny == set() with input as testing.staging

test_deny_each_missing_field if {
	every field in request.required {
		count(request.deny) > 0 with input as object.remove(testing.staging, [field])
	}
}

test_deny_unknown_type if {
	request.deny == {"metadata.type is quick; allowed are emergency, normal and standard."} with input as object.union(
		testing.staging,
		{"type": "quick"},
	)
}
