# METADATA
# title: Which environments are held to production's rules
# description: |
#   An environment that nobody has named here is treated as production: an unknown name is never a way around
#   a rule.
# scope: package
package holdpoint.environments

relaxed_names := {"dev", "development", "preview", "qa", "sandbox", "staging", "test", "testing"}

default relaxed := false

relaxed if input.environment in relaxed_names

default production := true

production := false if relaxed
