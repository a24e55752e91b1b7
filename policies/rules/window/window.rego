# METADATA
# title: The production window
# description: |
#   Says that a change will wait, or that no window is known. The waiting itself is the `window` obligation; nothing
#   is denied for the hour at which it was submitted.
# scope: package
package rules.window

import data.holdpoint.environments
import data.holdpoint.obligations
import data.holdpoint.ticket

warn contains "The production window is closed now: the change waits for its next opening." if {
	obligations.window
	not input.in_window == true
}

warn contains "No production window is known for this service: the change may begin at any hour." if {
	environments.production
	not ticket.urgent
	not obligations.window
}
