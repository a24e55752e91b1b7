package system.authz_test

import data.system.authz

secret := "s3cret"

allowed(request) if authz.allow with input as request with data.access.token_sha256 as crypto.sha256(secret)

ask := {"method": "POST", "path": ["v1", "data", "holdpoint", "decision"], "identity": secret}

test_allow_health_without_token if allowed({"method": "GET", "path": ["health"]})

test_allow_decision_with_token if allowed(ask)

test_deny_without_token if not allowed(object.remove(ask, ["identity"]))

test_deny_with_another_token if {
	not allowed(object.union(ask, {"identity": "guess"}))
	not allowed(object.union(ask, {"identity": ""}))
}

test_deny_every_write if {
	every method in ["PUT", "PATCH", "DELETE"] {
		every path in [["v1", "data", "holdpoint"], ["v1", "policies", "x"]] {
			not allowed({"method": method, "path": path, "identity": secret})
		}
	}
}

test_deny_other_paths_with_token if {
	every path in [["v1", "data"], ["v1", "data", "access"], ["v1", "query"], ["v1", "policies"], ["v1", "config"], ["v1", "compile"], []] {
		not allowed(object.union(ask, {"path": path}))
	}
}

test_deny_everything_while_no_token_is_configured if {
	not authz.allow with input as object.union(ask, {"identity": "undefined"})
}
