# METADATA
# title: Production changes need a known service with an owner
# description: Somebody must answer for what runs. Outside production it is a warning.
# scope: package
package rules.ownership

import data.holdpoint.environments

owned if {
	input.catalog.known == true
	is_string(input.catalog.owner)
	input.catalog.owner != ""
}

deny contains message if {
	environments.production
	not input.catalog.known == true
	message := sprintf("Service %v is not in the catalog: production needs a known service with an owner.", [input.service])
}

deny contains message if {
	environments.production
	input.catalog.known == true
	not owned
	message := sprintf("Service %v has no owner in the catalog: production needs one.", [input.service])
}

warn contains message if {
	environments.relaxed
	not owned
	message := sprintf("Service %v has no owner in the catalog; it would be denied in production.", [input.service])
}

warn contains message if {
	owned
	not is_string(input.catalog.backup_owner)
	message := sprintf("Service %v has no backup owner in the catalog.", [input.service])
}
