# METADATA
# title: Inputs that tests begin with
# description: A healthy, fully known change; a test states only what it changes.
# scope: package
package testing

staging := {
	"ticket": "chg-abcdefgh23",
	"purpose": "submit",
	"title": "shop 1.4.0",
	"service": "shop",
	"environment": "staging",
	"type": "standard",
	"requester": "ci",
	"repository": "https://git.example/shop.git",
	"revision": "1.4.0",
	"commit": "0123456789012345678901234567890123456789",
	"target": "sandbox/default/shop",
	"rolls_back": null,
	"is_rehearsal": false,
	"rehearsal": null,
	"images": ["registry.example:5000/shop:1.4.0"],
	"artifact": {"digest": "sha256:cc", "content": "sha256:dd", "written": true, "ladder": [], "bans": [], "promoted_from": null},
	"plan": [],
	"plan_shape": "sha256:aa",
	"shape_succeeded": true,
	"catalog": {
		"known": true,
		"owner": "team-shop",
		"backup_owner": "team-base",
		"tier": 2,
		"windows": [{"days": ["mon"], "start": "09:00", "end": "17:00", "zone": "UTC"}],
		"requires_rehearsal": null,
	},
	"diff": {"base": "1111111111111111111111111111111111111111", "files": 1, "added": 1, "removed": 1, "paths": [], "kinds": ["Deployment"]},
	"plan_diff": {"created": 0, "changed": 1, "deleted": 0, "refused": 0, "unchanged": 1, "fields": 1, "kinds": ["Deployment"]},
	"recent_failures": 0,
	"error_budget": 0.9,
	"open_incidents": 0,
	"freezes": [],
	"now": "2026-03-02T10:00:00Z",
	"weekday": "mon",
	"hour": 10,
	"in_window": true,
}

production := object.union(staging, {"environment": "production"})

# What the embedded stack really knows: neither budget nor incidents.
embedded := object.union(production, {"error_budget": "unknown", "open_incidents": "unknown"})

rollback := object.union(production, {"rolls_back": {"ticket": "chg-abcdefgh22", "to": "chg-abcdefgh24"}})

# The run of an artifact in staging that goes on and has lasted for an hour.
rung := {
	"environment": "staging",
	"target": "eu-0/default/shop",
	"ticket": "chg-abcdefgh24",
	"verdicts": {"pass": 2},
	"running": true,
	"since": "2026-03-02T09:00:00Z",
	"ended_at": null,
	"ended_by": null,
	"breach": null,
	"soak": 3600,
	"soak_at_submit": 3600,
}

breached := object.union(rung, {
	"running": false,
	"soak": 0,
	"soak_at_submit": 0,
	"breach": {"ticket": "chg-abcdefgh25", "code": "analysis_failed", "at": "2026-03-02T09:30:00Z"},
})

# A production change whose artifact must have run in staging for half an hour.
climbing(rungs) := object.union(production, {
	"artifact": {"ladder": rungs},
	"catalog": {"requires": {"production": {"environment": "staging", "soak": 1800}}},
})
