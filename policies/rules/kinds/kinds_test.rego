package rules.kinds_test

import data.rules.kinds
import data.testing

points(list) := total if {
	total := sum([factor.points | some factor in kinds.factor]) with input as object.union(
		testing.staging,
		{"diff": {"kinds": list}},
	)
}

test_allow_ordinary_kinds if points(["Deployment", "Service", "ConfigMap"]) == 0

test_delicate_kinds_raise_risk if points(["Deployment", "ClusterRole", "Secret"]) == 3

test_uncommon_kinds_raise_risk if points(["Deployment", "Certificate"]) == 1

test_kind_that_only_the_cluster_shows_raises_risk_too if {
	altered := object.union(testing.staging, {"plan_diff": {"kinds": ["Secret"]}})
	sum([factor.points | some factor in kinds.factor]) == 3 with input as altered
}
