package rules.irreversible_test

import data.rules.irreversible
import data.testing

planned(steps) := object.union(testing.staging, {"plan": steps})

step(kept) := {
	"kind": "delete",
	"config": {"objects": [{"kind": "Service", "name": "old"}], "irreversible": kept},
}

test_allow_plan_whose_deletions_can_be_undone if {
	count(irreversible.factor) == 0 with input as planned([{"kind": "apply", "config": {}}, step(false)])
}

test_irreversible_deletion_is_high_risk if {
	expected := {{"points": 6, "reason": "The plan deletes what no undo brings back: Service old."}}
	irreversible.factor == expected with input as planned([step(true)])
}

migration(for_good) := {"kind": "job", "config": {"name": "migrate", "cannotBeUndone": for_good}}

test_allow_job_that_can_be_undone if {
	count(irreversible.factor) == 0 with input as planned([migration(false)])
}

request(for_good) := {
	"kind": "http",
	"config": {"method": "POST", "url": "https://flags.example/new", "cannotBeUndone": for_good},
}

test_allow_request_that_has_an_undo if {
	count(irreversible.factor) == 0 with input as planned([request(false)])
}

test_request_without_an_undo_is_high_risk if {
	reason := "The plan runs what no undo takes back: POST https://flags.example/new."
	irreversible.factor == {{"points": 6, "reason": reason}} with input as planned([request(true)])
}

test_job_that_cannot_be_undone_is_high_risk if {
	expected := {{"points": 6, "reason": "The plan runs what no undo takes back: Job migrate."}}
	irreversible.factor == expected with input as planned([migration(true)])
}
