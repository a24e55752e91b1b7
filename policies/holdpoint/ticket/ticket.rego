# METADATA
# title: What kind of ticket is asked about
# description: |
#   A rollback after success is a ticket of its own, of the type of what it rolls back. It is as urgent as an
#   emergency, whatever that type is: it waits for no window, and no canary is asked of it.
# scope: package
package holdpoint.ticket

default rollback := false

rollback if is_object(input.rolls_back)

default urgent := false

urgent if rollback

urgent if input.type == "emergency"
