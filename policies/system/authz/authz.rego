# METADATA
# title: Who may ask this OPA what
# description: |
#   Health is open, so that it can be supervised. The token opens one thing: asking for Holdpoint's documents.
#   Everything else is refused, writes above all: policies come from the bundle alone. The bundle carries the
#   token's digest, not the token.
# scope: package
package system.authz

default allow := false

allow if {
	input.method == "GET"
	input.path == ["health"]
}

allow if {
	known_caller
	input.method in {"GET", "POST"}
	array.slice(input.path, 0, 3) == ["v1", "data", "holdpoint"]
}

known_caller if {
	is_string(input.identity)
	input.identity != ""
	crypto.sha256(input.identity) == data.access.token_sha256
}
