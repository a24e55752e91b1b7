# METADATA
# title: Risk, with its reasons
# description: |
#   Each rule adds factors: points with a sentence. The sum gives the level. A fact that is not known adds a reason
#   too, and in production points as well, so that not knowing is never better than knowing.
# scope: package
package holdpoint.risk

# Two points are what a production change carries when neither error budget nor incidents can be known. A small
# change whose plan has succeeded before must still be able to count as low, and one more doubt must not.
low_up_to := 2

medium_up_to := 5

factors contains factor if some factor in data.rules[_].factor

points := sum([factor.points | some factor in factors])

reasons := sort({factor.reason | some factor in factors})

default level := "high"

level := "low" if points <= low_up_to

level := "medium" if {
	points > low_up_to
	points <= medium_up_to
}
