package holdpoint.environments_test

import data.holdpoint.environments

test_production_is_production if environments.production with input.environment as "production"

test_staging_is_relaxed if {
	environments.relaxed with input.environment as "staging"
	not environments.production with input.environment as "staging"
}

test_unknown_environment_is_held_to_production if environments.production with input.environment as "prod-eu-7"

test_missing_environment_is_held_to_production if environments.production with input as {}
