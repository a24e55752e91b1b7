package rules.deletion_test

import data.rules.deletion
import data.testing

planned(steps) := object.union(testing.staging, {"plan": steps})

step(irreversible) := {
	"kind": "delete",
	"config": {"objects": [{"kind": "Service", "name": "old"}], "irreversible": irreversible},
}

test_allow_plan_without_deletion if {
	count(deletion.factor) == 0 with input as planned([{"kind": "apply", "config": {}}])
}

test_deletion_raises_risk if {
	expected := {{"points": 1, "reason": "The plan deletes Service old."}}
	deletion.factor == expected with input as planned([step(false)])
}

test_irreversible_deletion_is_high_risk if {
	expected := {{"points": 6, "reason": "The plan deletes what no undo brings back: Service old."}}
	deletion.factor == expected with input as planned([step(true)])
}
