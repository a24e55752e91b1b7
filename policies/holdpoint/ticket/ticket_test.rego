package holdpoint.ticket_test

import data.holdpoint.ticket
import data.testing

test_rollback_is_urgent_whatever_its_type if {
	every type in ["standard", "normal", "emergency"] {
		ticket.urgent with input as object.union(testing.rollback, {"type": type})
	}
}

test_only_what_names_a_ticket_is_a_rollback if {
	ticket.rollback with input as testing.rollback
	not ticket.rollback with input as testing.production
	not ticket.rollback with input as object.remove(testing.production, ["rolls_back"])
}

test_emergency_is_urgent_and_nothing_else_is if {
	ticket.urgent with input as object.union(testing.production, {"type": "emergency"})
	not ticket.urgent with input as testing.production
	not ticket.urgent with input as object.union(testing.production, {"type": "normal"})
}
