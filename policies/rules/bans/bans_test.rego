package rules.bans_test

import data.rules.bans
import data.testing

banned(type) := object.union(testing.production, {
	"type": type,
	"artifact": {"bans": [{
		"id": "ban-0123456789", "service": "shop", "ticket": "chg-abcdefgh25", "code": "analysis_failed", "covers": "artifact",
	}]},
})

test_allow_what_is_not_banned if bans.deny == set() with input as testing.production

test_deny_what_is_banned_and_name_ticket_and_way_out if {
	every type in ["standard", "normal", "emergency"] {
		denied := bans.deny with input as banned(type)
		some message in denied
		contains(message, "chg-abcdefgh25")
		contains(message, "holdpoint ban lift ban-0123456789")
	}
}

test_deny_a_rollback_to_what_is_banned if {
	count(bans.deny) == 1 with input as object.union(banned("standard"), {"rolls_back": {"ticket": "a", "to": "b"}})
}

test_deny_what_is_unknown if {
	count(bans.deny) == 1 with input as object.union(testing.production, {"artifact": "unknown"})
}
