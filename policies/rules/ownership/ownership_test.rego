package rules.ownership_test

import data.rules.ownership
import data.testing

unknown := {"known": false, "owner": null, "backup_owner": null, "tier": "unknown", "windows": []}

test_deny_unknown_service_in_production if {
	count(ownership.deny) == 1 with input as object.union(testing.production, {"catalog": unknown})
}

test_deny_service_without_owner_in_production if {
	every owner in [null, "", 7] {
		count(ownership.deny) == 1 with input as object.union(testing.production, {"catalog": {"owner": owner}})
	}
}

test_deny_when_the_catalog_did_not_answer if {
	count(ownership.deny) == 1 with input as object.remove(testing.production, ["catalog"])
}

test_allow_owned_service_in_production if ownership.deny == set() with input as testing.production

test_allow_unknown_service_in_staging_with_a_warning if {
	staging := object.union(testing.staging, {"catalog": unknown})
	ownership.deny == set() with input as staging
	count(ownership.warn) == 1 with input as staging
}

test_warn_without_backup_owner if {
	count(ownership.warn) == 1 with input as object.union(testing.production, {"catalog": {"backup_owner": null}})
}
