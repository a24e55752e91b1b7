# METADATA
# title: Risk from the time of day
# description: |
#   Outside office hours fewer people are there to notice. A change that waits for its window runs inside it, so the
#   hour at which it was submitted says nothing about it.
# scope: package
package rules.clock

import data.holdpoint.obligations

names := {
	"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday",
	"fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}

weekend := {"sat", "sun"}

office_from := 8

office_to := 18

factor contains {"points": 1, "reason": reason} if {
	not obligations.window
	quiet
	reason := sprintf("It would run outside office hours (%s).", [moment])
}

factor contains {"points": 1, "reason": "The time of day is unknown."} if not known

known if is_number(input.hour)

quiet if input.weekday in weekend

quiet if {
	known
	input.hour < office_from
}

quiet if {
	known
	input.hour >= office_to
}

# The hour is by the clock of the service's first window, or UTC.
moment := sprintf("%s %02d:00 %s", [names[input.weekday], input.hour, zone]) if known

moment := names[input.weekday] if not known

default zone := "UTC"

zone := input.catalog.windows[0].zone
